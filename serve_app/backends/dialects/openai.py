"""OpenAI's API, which most providers speak, each a little otherwise: chat, vectors, moderation."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from serve_app.backends.base import Call, Service
from serve_app.backends.dialects.auth import key_header
from serve_app.backends.dialects.openai_reply import decode_chunk, decode_whole
from serve_app.backends.dialects.openai_request import Rewriting
from serve_app.backends.judgements import decode_judgements
from serve_app.backends.vectors import decode_vectors
from serve_app.config.backend_settings import HostedBackend
from serve_app.core.types import Chunk

CHAT = "/chat/completions"
EMBEDDINGS = "/embeddings"
MODERATIONS = "/moderations"


class OpenAIDialect:
    """See `Dialect`. A request that needs nothing changed goes out as the bytes it came in."""

    def __init__(self, settings: HostedBackend) -> None:
        quirks = settings.quirks
        self._headers = dict(quirks.headers)
        self._auth = quirks.auth
        self._query = f"?{urlencode(quirks.query)}" if quirks.query else ""
        chat = quirks.path or CHAT
        # Azure's `/openai/deployments/{model}/chat/completions` has embeddings beside it.
        beside = chat.removesuffix(CHAT) if chat.endswith(CHAT) else ""
        self._paths: dict[Service, str] = {
            "chat": chat,
            "embeddings": beside + EMBEDDINGS,
            "moderations": MODERATIONS,
        }
        self._rewriting = Rewriting(settings)

    def path(self, call: Call) -> str:
        path = self._paths[call.endpoint]
        if "{model}" in path:
            path = path.replace("{model}", quote(call.model, safe=""))
        return path + self._query

    def headers(self, key: str | None) -> Mapping[str, str]:
        return self._headers if key is None else self._headers | key_header(self._auth, key)

    def body(self, call: Call) -> bytes:
        return self._rewriting.body(call)

    def decoder(self, call: Call, secret: str | None) -> OpenAIDecoder:
        return OpenAIDecoder(secret)

    def whole(self, call: Call, body: bytes, secret: str | None) -> Chunk:
        if call.endpoint == "embeddings":
            return decode_vectors(body, secret)
        if call.endpoint == "moderations":
            return decode_judgements(body, secret)
        return decode_whole(body, secret)


class OpenAIDecoder:
    """See `StreamDecoder`; ends with `[DONE]`."""

    __slots__ = ("_secret", "ended")

    def __init__(self, secret: str | None = None) -> None:
        self._secret = secret
        self.ended = False

    def chunks(self, data: bytes) -> list[Chunk]:
        if data[:1] == b"{" or (text := data.strip()) not in (b"", b"[DONE]"):
            return [decode_chunk(data, self._secret)]
        self.ended = bool(text)
        return []
