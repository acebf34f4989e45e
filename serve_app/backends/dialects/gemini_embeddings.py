"""Embeddings: OpenAI's request as Gemini's `batchEmbedContents`, its answer as OpenAI's list."""

from __future__ import annotations

import base64
import struct

import msgspec
from msgspec import Struct

from serve_app.backends.base import AttemptFailed, Call
from serve_app.backends.dialects.canonical_reply import usage_object
from serve_app.backends.dialects.canonical_request import Embed, Json, read_embed
from serve_app.backends.dialects.gemini_contents import PROVIDER
from serve_app.backends.dialects.gemini_reply import Counts
from serve_app.backends.refusal import failure_inside, read_refusal
from serve_app.core.types import Chunk, Usage


class _Embedding(Struct):
    values: list[float]


class _Embeddings(Struct, rename="camel"):
    embeddings: list[_Embedding]
    usage_metadata: Counts | None = None


_decode = msgspec.json.Decoder(_Embeddings).decode
_encode = msgspec.json.encode


def encode(call: Call) -> bytes:
    """The JSON body.

    Raises:
        AttemptFailed: the input is no text.
    """
    asked = read_embed(call, PROVIDER)
    texts = [asked.input] if isinstance(asked.input, str) else asked.input
    return _encode({"requests": [_request(call.model, text, asked) for text in texts]})


def _request(model: str, text: str, asked: Embed) -> Json:
    value: Json = {"model": f"models/{model}", "content": {"parts": [{"text": text}]}}
    if asked.dimensions is not None:
        value["outputDimensionality"] = asked.dimensions
    return value


def decode(body: bytes, call: Call, secret: str | None) -> Chunk:
    """The vectors, in the order of the texts.

    Raises:
        AttemptFailed: it is an error, or no vectors.
    """
    try:
        found = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        if (refusal := read_refusal(body)) is not None:
            raise failure_inside(refusal, secret=secret) from None
        raise AttemptFailed(
            "transient", "the provider's answer is no embeddings", code="malformed"
        ) from error
    packed = read_embed(call, PROVIDER).encoding_format == "base64"
    usage = found.usage_metadata.usage() if found.usage_metadata is not None else None
    value = {
        "object": "list",
        "model": call.model,
        "data": [_shown(at, e.values, packed=packed) for at, e in enumerate(found.embeddings)],
        "usage": _usage(usage),
    }
    return Chunk(model=call.model, usage=usage, raw=_encode(value), whole=True)


def _shown(at: int, vector: list[float], *, packed: bool) -> Json:
    shown: list[float] | str = vector
    if packed:  # little-endian float32, as OpenAI has it
        shown = base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    return {"object": "embedding", "index": at, "embedding": shown}


def _usage(usage: Usage | None) -> Json:
    """OpenAI gives two counts; where Gemini says nothing they are zero."""
    counts = usage_object(usage or Usage())
    return {"prompt_tokens": counts["prompt_tokens"], "total_tokens": counts["total_tokens"]}
