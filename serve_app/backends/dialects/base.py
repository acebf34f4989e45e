"""A dialect's contract: OpenAI's chat shape inside, a provider's own outside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from serve_app.backends.base import Call
from serve_app.core.types import Chunk

MALFORMED = "malformed"
"""`code` of an event, or a reply, that is none of the dialect's."""


class StreamDecoder(Protocol):
    """Decodes one streamed reply; keeps what later events refer to."""

    ended: bool
    """True once the dialect's own sign of the end came (`[DONE]`, `message_stop`). A dialect
    without one leaves it False; its replies end with the HTTP message."""

    def chunks(self, data: bytes) -> list[Chunk]:
        """The chunks that the data of one server-sent event amounts to, often one, maybe none.

        Raises:
            AttemptFailed: the event is an error (any kind), or no event of this dialect (code
                `malformed`: the caller may skip it).
        """


class Dialect(Protocol):
    """Translates one backend's calls. Built once per backend from its settings; holds no state
    of a call."""

    def path(self, call: Call) -> str:
        """Path and query after the base URL, such as `/chat/completions`."""

    def headers(self, key: str | None) -> Mapping[str, str]:
        """Headers that carry the key and the dialect's version; the same for every call."""

    def body(self, call: Call) -> bytes:
        """The request as the provider takes it. `call.body` is the canonical one, with the
        backend's own model name; `call.prefix`, if not empty, is added the provider's way.

        Raises:
            AttemptFailed: `candidate`, the request holds what this provider has no words for.
        """

    def decoder(self, call: Call, secret: str | None) -> StreamDecoder:
        """For a streamed reply. `secret`, our key, must never show in what it raises."""

    def whole(self, call: Call, body: bytes, secret: str | None) -> Chunk:
        """A whole reply as one `whole` chunk; its `raw` is a `chat.completion` object, or for
        `call.endpoint == "embeddings"` OpenAI's embeddings `list` object, for `moderations` its
        object with `results`.

        Raises:
            AttemptFailed: it is an error, or no reply of this dialect.
        """
