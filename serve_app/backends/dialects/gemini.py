"""Google's Gemini API: canonical calls in, its requests out; its replies in, chunks out."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from serve_app.backends.base import Call
from serve_app.backends.dialects import gemini_embeddings
from serve_app.backends.dialects.auth import key_header
from serve_app.backends.dialects.canonical_request import read_chat, unsupported
from serve_app.backends.dialects.dropped import dropped_fields
from serve_app.backends.dialects.gemini_answers import GeminiDecoder, decode_whole
from serve_app.backends.dialects.gemini_request import encode
from serve_app.config.backend_settings import HostedBackend
from serve_app.core.clock import Clock, SystemClock
from serve_app.core.types import Chunk

_PATH = "/models/{model}"


class GeminiDialect:
    """See `Dialect`.

    `quirks.path` replaces `/models/{model}`, up to the colon and the method.

    Args:
        clock: replies have no time of their own.
    """

    def __init__(self, settings: HostedBackend, clock: Clock | None = None) -> None:
        self._quirks = settings.quirks
        self._dropped = dropped_fields(settings)
        self._clock = clock or SystemClock()
        self._query = urlencode(settings.quirks.query)

    def path(self, call: Call) -> str:
        method, query = "generateContent", self._query
        if call.endpoint == "embeddings":
            method = "batchEmbedContents"
        elif call.stream:
            method = "streamGenerateContent"
            query = f"alt=sse&{query}".rstrip("&")
        where = (self._quirks.path or _PATH).replace("{model}", quote(call.model, safe=""))
        return f"{where}:{method}" + (f"?{query}" if query else "")

    def headers(self, key: str | None) -> Mapping[str, str]:
        headers = dict(self._quirks.headers)
        return headers if key is None else headers | key_header(self._quirks.auth, key)

    def body(self, call: Call) -> bytes:
        if call.endpoint == "embeddings":
            return gemini_embeddings.encode(call)
        if call.endpoint != "chat":
            raise unsupported("Gemini", call.endpoint)
        return encode(call, read_chat(call, self._dropped.get(call.model)))

    def decoder(self, call: Call, secret: str | None) -> GeminiDecoder:
        return GeminiDecoder(call, int(self._clock.wall()), secret)

    def whole(self, call: Call, body: bytes, secret: str | None) -> Chunk:
        if call.endpoint == "embeddings":
            return gemini_embeddings.decode(body, call, secret)
        return decode_whole(body, call, int(self._clock.wall()), secret)
