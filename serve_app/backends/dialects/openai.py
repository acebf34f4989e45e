"""OpenAI's chat completions and embeddings, and the ways in which providers differ from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Raw

from serve_app.backends.base import Call
from serve_app.backends.dialects.auth import key_header
from serve_app.backends.reply import decode_chunk, decode_whole
from serve_app.backends.vectors import decode_vectors
from serve_app.config.structure import HostedBackend
from serve_app.core.types import Chunk

_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_values = msgspec.json.Decoder().decode
_encode = msgspec.json.encode

_EXTENSIONS = (b"cache_control", b"reasoning_details", b"is_error")
"""What only other dialects understand, in messages, their parts, and tools."""

_PREFIX_MARK: dict[str, dict[str, bool]] = {
    "bare": {},
    "partial": {"partial": True},
    "prefix": {"prefix": True},
    "vllm": {},
}
_GO_ON = {"continue_final_message": Raw(b"true"), "add_generation_prompt": Raw(b"false")}


class OpenAIDialect:
    """See `Dialect`. A request that needs nothing changed goes out as the bytes it came in."""

    def __init__(self, settings: HostedBackend) -> None:
        quirks = settings.quirks
        self._quirks = quirks
        self._drop = frozenset(quirks.drop)
        if not quirks.stream_usage:
            self._drop |= {"stream_options"}
        self._drops = {m.id: self._drop.union(m.drop) for m in settings.models if m.drop}
        self._query = f"?{urlencode(quirks.query)}" if quirks.query else ""
        self._chat = quirks.path or "/chat/completions"
        self._keeps_extensions = settings.provider == "openrouter"

    def path(self, call: Call) -> str:
        path = "/embeddings" if call.endpoint == "embeddings" else self._chat
        if "{model}" in path:
            path = path.replace("{model}", quote(call.model, safe=""))
        return path + self._query

    def headers(self, key: str | None) -> Mapping[str, str]:
        headers = dict(self._quirks.headers)
        return headers if key is None else headers | key_header(self._quirks.auth, key)

    def body(self, call: Call) -> bytes:
        foreign = not self._keeps_extensions and any(name in call.body for name in _EXTENSIONS)
        drop = self._drops.get(call.model, self._drop)
        if not (foreign or call.prefix or drop or self._quirks.rename):
            return call.body
        fields = _fields(call.body)
        for name in drop & fields.keys():
            del fields[name]
        for name, other in self._quirks.rename.items():
            if name in fields:
                fields.setdefault(other, fields[name])
                del fields[name]
        if foreign:
            for name in {"messages", "tools"} & fields.keys():
                fields[name] = Raw(_encode(_without_extensions(_values(fields[name]))))
        if call.prefix:
            self._add_prefix(fields, call.prefix)
        return _encode(fields)

    def _add_prefix(self, fields: dict[str, Raw], prefix: str) -> None:
        style = self._quirks.prefix
        begun = {"role": "assistant", "content": prefix, **_PREFIX_MARK.get(style, {})}
        fields["messages"] = Raw(_encode([*_values(fields["messages"]), begun]))
        if style == "vllm":
            fields |= _GO_ON

    def decoder(self, call: Call, secret: str | None) -> OpenAIDecoder:
        return OpenAIDecoder(secret)

    def whole(self, call: Call, body: bytes, secret: str | None) -> Chunk:
        if call.endpoint == "embeddings":
            return decode_vectors(body, secret)
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


def _without_extensions(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_extensions(item) for item in value]
    if isinstance(value, dict):
        return {
            name: _without_extensions(item) if name in ("content", "function") else item
            for name, item in value.items()
            if name not in ("cache_control", "reasoning_details", "is_error")
        }
    return value
