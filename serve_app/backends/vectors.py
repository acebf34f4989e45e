"""A reply to a request for embeddings: OpenAI's list of vectors in, a `Chunk` or a failure out."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from serve_app.backends.base import AttemptFailed
from serve_app.backends.refusal import failure_inside, read_refusal
from serve_app.core.types import Chunk, Usage


class _Vectors(Struct):
    """What we look at of it; the vectors themselves go out as they came."""

    data: list[Raw]
    model: str | None = None
    usage: Usage | None = None


_decode = msgspec.json.Decoder(_Vectors).decode
_BROKEN = (msgspec.MsgspecError, UnicodeDecodeError)


def decode_vectors(body: bytes, secret: str | None = None) -> Chunk:
    """The body as one whole chunk without choices.

    Args:
        secret: our key, kept out of messages.

    Raises:
        AttemptFailed: it is no list of embeddings, or it is an error object.
    """
    try:
        if not body.isascii():
            body.decode()
        vectors = _decode(body)
        if not vectors.data:
            raise msgspec.ValidationError("no vectors")
    except _BROKEN as error:
        if (refusal := read_refusal(body)) is not None:
            raise failure_inside(refusal, secret=secret) from None
        raise AttemptFailed(
            "transient", "the provider's answer is no list of embeddings", code="malformed"
        ) from error
    return Chunk(model=vectors.model or "", usage=vectors.usage, raw=body, whole=True)
