"""Anthropic's Messages API: canonical calls in, its requests out; its replies in, chunks out."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from serve_app.backends.base import Call
from serve_app.backends.dialects.anthropic_models import Manners, manners_of
from serve_app.backends.dialects.anthropic_reply import Lead, decode_whole
from serve_app.backends.dialects.anthropic_request import encode
from serve_app.backends.dialects.anthropic_stream import AnthropicDecoder
from serve_app.backends.dialects.anthropic_turns import PROVIDER
from serve_app.backends.dialects.auth import key_header
from serve_app.backends.dialects.canonical_request import read_chat, unsupported
from serve_app.backends.dialects.dropped import dropped_fields
from serve_app.config.backend_settings import HostedBackend
from serve_app.core.clock import Clock, SystemClock
from serve_app.core.types import Chunk

VERSION = "2023-06-01"
"""`anthropic-version`. The next one (2026-10-21) takes no `temperature` for any model."""


class AnthropicDialect:
    """See `Dialect`.

    Args:
        clock: replies have no time of their own.
    """

    def __init__(self, settings: HostedBackend, clock: Clock | None = None) -> None:
        self._quirks = settings.quirks
        self._dropped = dropped_fields(settings)
        self._models = {model.id: model for model in settings.models}
        self._manners: dict[str, Manners] = {id_: manners_of(id_) for id_ in self._models}
        self._clock = clock or SystemClock()
        query = urlencode(settings.quirks.query)
        self._path = (settings.quirks.path or "/messages") + (f"?{query}" if query else "")

    def path(self, call: Call) -> str:
        return self._path

    def headers(self, key: str | None) -> Mapping[str, str]:
        headers = {"anthropic-version": VERSION, **self._quirks.headers}
        return headers if key is None else headers | key_header(self._quirks.auth, key)

    def body(self, call: Call) -> bytes:
        if call.endpoint != "chat":
            raise unsupported(PROVIDER, call.endpoint)
        asked = read_chat(call, self._dropped.get(call.model))
        model = self._models.get(call.model)
        manners = self._manners.get(call.model) or manners_of(call.model)
        return encode(call, asked, model, manners)

    def decoder(self, call: Call, secret: str | None) -> AnthropicDecoder:
        return AnthropicDecoder(call, int(self._clock.wall()), secret)

    def whole(self, call: Call, body: bytes, secret: str | None) -> Chunk:
        created = int(self._clock.wall())
        return decode_whole(body, call.model, created, secret, Lead(call.prefix))
