"""The simple agent dialect: a session and a message in, text out.

    {"session_id": "abc", "message": "hello", "stream": false, "model": "auto", "tools": [...]}

A streamed answer is a sequence of `data: {"delta": "..."}` events, one last event with
`"done": true` and the totals, then `data: [DONE]`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from serve_app.core.errors import BadRequest
from serve_app.core.money import usd
from serve_app.core.tools import RUN_HERE
from serve_app.core.types import ChatRequest, Chunk, Message, Usage
from serve_app.wire import openai
from serve_app.wire.checks import no_json, wrong_field
from serve_app.wire.problem import OpenAIErrors
from serve_app.wire.reply import DONE, payload
from serve_app.wire.shape import Answered

MAX_SESSION_ID = 128


class AgentRequest(Struct, frozen=True, forbid_unknown_fields=True):
    message: str
    session_id: str | None = None
    stream: bool = False
    model: str = "auto"
    tools: list[dict[str, Any]] | None = None
    """Those that the gateway runs; see `core.tools.RUN_HERE`."""


class _Choice(Struct):
    message: Message
    finish_reason: str | None = None


class _Body(Struct):
    choices: list[_Choice]


_request = msgspec.json.Decoder(AgentRequest)
_body = msgspec.json.Decoder(_Body)
_encode = msgspec.json.encode


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
    for at, tool in enumerate(request.tools or ()):
        if tool.get("type") not in RUN_HERE:
            raise BadRequest(
                f"tools[{at}].type: only tools that the gateway runs go with this endpoint "
                f"({', '.join(sorted(RUN_HERE))})",
                param=f"tools[{at}].type",
            )
    return request


def answered(body: bytes) -> Message:
    """The assistant's message of a whole reply."""
    choices = _body.decode(body).choices
    return choices[0].message if choices else Message(role="assistant", content="")


def _text(body: bytes) -> str:
    text = answered(body).content
    return text if isinstance(text, str) else ""


def encode(session_id: str | None, text: str, model: str, usage: Usage | None) -> bytes:
    """A whole answer."""
    return _encode({"session_id": session_id, "message": text, "model": model, "usage": usage})


def excuse(session_id: str | None, words: str) -> bytes:
    """A whole stream that says only these words."""
    totals = {"model": "", "usage": None, "cost_usd": "0.000000"}
    end = {"session_id": session_id, "done": True, **totals}
    return b"data: %b\n\ndata: %b\n\n" % (_encode({"delta": words}), _encode(end)) + DONE


class Agent(OpenAIErrors):
    """`POST /agent/chat`."""

    def decode(self, body: bytes) -> ChatRequest:
        asked = decode(body)
        said = [Message(role="user", content=asked.message)]
        request = openai.from_messages(asked.model, said, asked.tools, stream=asked.stream)
        return replace(request, session=asked.session_id or "")

    def whole(self, chunk: Chunk, answered: Answered) -> bytes:
        said = _text(payload(chunk))
        return encode(answered.session_id or None, said, answered.model, answered.usage)

    async def events(
        self, chunks: AsyncIterator[list[Chunk]], answered: Answered
    ) -> AsyncIterator[bytes]:
        async for batch in chunks:
            said = [c.delta.content for chunk in batch for c in chunk.choices[:1]]
            if text := "".join(piece for piece in said if piece):
                yield b"data: " + _encode({"delta": text}) + b"\n\n"
        yield b"data: " + _encode(_end(answered)) + b"\n\n"
        yield DONE


def _end(answered: Answered) -> dict[str, object]:
    """The last event, with the totals."""
    end: dict[str, object] = {
        "session_id": answered.session_id or None,
        "done": True,
        "model": answered.model,
        "usage": answered.usage,
        "cost_usd": usd(answered.cost_micro_usd),
    }
    return {**end, "blocked_by": answered.blocked} if answered.blocked else end
