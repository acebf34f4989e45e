"""The simple agent dialect: a session and a message in, text out.

    {"session_id": "abc", "message": "hello", "stream": false, "model": "auto"}

A streamed answer is a sequence of `data: {"delta": "..."}` events, one last event with
`"done": true` and the totals, then `data: [DONE]`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
from msgspec import Struct

from serve_app.core.errors import BadRequest
from serve_app.core.types import Chunk, Message, Usage
from serve_app.wire.checks import no_json, wrong_field
from serve_app.wire.reply import DONE

MAX_SESSION_ID = 128


class AgentRequest(Struct, frozen=True, forbid_unknown_fields=True):
    message: str
    session_id: str | None = None
    stream: bool = False
    model: str = "auto"


class _Choice(Struct):
    message: Message
    finish_reason: str | None = None


class _Body(Struct):
    choices: list[_Choice]


_request = msgspec.json.Decoder(AgentRequest)
_body = msgspec.json.Decoder(_Body)


def decode(body: bytes) -> AgentRequest:
    """Check a request body.

    Raises:
        BadRequest: naming the field.
    """
    try:
        request = _request.decode(body)
    except msgspec.ValidationError as error:
        raise wrong_field(error) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise no_json(error) from None
    if not request.message.strip():
        raise BadRequest("'message' is empty", param="message")
    if request.session_id is not None and not 1 <= len(request.session_id) <= MAX_SESSION_ID:
        raise BadRequest(f"'session_id' has 1 to {MAX_SESSION_ID} characters", param="session_id")
    return request


def answered(body: bytes) -> Message:
    """The assistant's message of a whole reply."""
    choices = _body.decode(body).choices
    return choices[0].message if choices else Message(role="assistant", content="")


def encode(session_id: str | None, text: str, model: str, usage: Usage | None) -> bytes:
    """A whole answer."""
    return msgspec.json.encode(
        {"session_id": session_id, "message": text, "model": model, "usage": usage}
    )


def excuse(session_id: str | None, words: str) -> bytes:
    """A whole stream that says only these words."""
    encode_json = msgspec.json.encode
    totals = {"model": "", "usage": None, "cost_usd": "0.000000"}
    end = {"session_id": session_id, "done": True, **totals}
    said = encode_json({"delta": words})
    return b"data: %b\n\ndata: %b\n\n" % (said, encode_json(end)) + DONE


async def events(
    session_id: str | None, chunks: AsyncIterator[list[Chunk]], end: Any
) -> AsyncIterator[bytes]:
    """A streamed answer; `end()` gives the totals once the chunks are through."""
    encode_json = msgspec.json.encode
    async for batch in chunks:
        texts = [c.delta.content for chunk in batch for c in chunk.choices[:1] if c.delta.content]
        if texts:
            yield b"data: " + encode_json({"delta": "".join(texts)}) + b"\n\n"
    yield b"data: " + encode_json({"session_id": session_id, "done": True, **end()}) + b"\n\n"
    yield DONE
