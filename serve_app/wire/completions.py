"""OpenAI's older completions: a prompt is asked as one user message.

Several prompts are several requests; `decode_each` gives them all, `join` puts their replies
together as one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from serve_app.core.errors import BadRequest
from serve_app.core.types import ChatRequest, Chunk, Usage
from serve_app.wire.checks import check_stops, check_utf8, no_json, wrong_field
from serve_app.wire.logprobs import Offsets, older_logprobs
from serve_app.wire.openai import from_values
from serve_app.wire.problem import OpenAIErrors
from serve_app.wire.reply import DONE, payload
from serve_app.wire.shape import Answered

MAX_PROMPTS = 16
MAX_LOGPROBS = 5

_encode = msgspec.json.encode
_object = msgspec.json.Decoder(dict[str, Any])

Json = dict[str, Any]


class PromptFields(Struct, frozen=True):
    """The fields that chat completions do not have, or have with another meaning."""

    model: str
    prompt: str | list[Any] | None = None
    suffix: str | None = None
    echo: bool | None = None
    best_of: int | None = None
    logprobs: int | None = None
    stream: bool | None = None


_OWN = frozenset({"prompt", "suffix", "echo", "best_of", "logprobs"})
_own = msgspec.json.Decoder(PromptFields)


# ----------------------------------------------------------------- requests


def decode_each(body: bytes) -> list[ChatRequest]:
    """Check a request body: one request for each prompt.

    Raises:
        BadRequest: `param` is the field at fault.
    """
    check_utf8(body)
    try:
        own, values = _own.decode(body), _object.decode(body)
    except msgspec.ValidationError as error:
        raise wrong_field(error) from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise no_json(error) from None
    _check(own)
    prompts = _prompts(own)
    if own.stream and len(prompts) > 1:
        raise BadRequest("A stream takes one prompt", param="prompt")
    shared = {name: value for name, value in values.items() if name not in _OWN}
    if own.logprobs is not None:
        shared |= {"logprobs": True, "top_logprobs": own.logprobs}
    requests = [from_values({**shared, "messages": _asked(prompt)}) for prompt in prompts]
    check_stops(requests[0].params.stop)
    return requests


def _asked(prompt: str) -> list[Json]:
    return [{"role": "user", "content": prompt}]


def _check(own: PromptFields) -> None:
    if own.suffix:
        raise BadRequest("suffix cannot be had: prompts are asked as messages", param="suffix")
    if own.echo:
        raise BadRequest("echo cannot be had: prompts are asked as messages", param="echo")
    if own.best_of is not None and own.best_of > 1:
        raise BadRequest("best_of above 1 cannot be had; use n", param="best_of")
    if own.logprobs is not None and not 0 <= own.logprobs <= MAX_LOGPROBS:
        raise BadRequest(f"logprobs is {own.logprobs}; 0 to {MAX_LOGPROBS}", param="logprobs")


def _prompts(own: PromptFields) -> list[str]:
    given = own.prompt
    if given is None:
        raise BadRequest("Invalid value for 'prompt': a required field is missing", param="prompt")
    prompts = [given] if isinstance(given, str) else given
    if not 1 <= len(prompts) <= MAX_PROMPTS:
        raise BadRequest(f"prompt has {len(prompts)} texts; 1 to {MAX_PROMPTS}", param="prompt")
    for at, prompt in enumerate(prompts):
        if isinstance(prompt, int | list):
            raise BadRequest("prompt holds token numbers; send text", param="prompt")
        if not isinstance(prompt, str):
            raise BadRequest(f"prompt[{at}] is no text", param=f"prompt[{at}]")
    return prompts


# ------------------------------------------------------------------ replies


class Completions(OpenAIErrors):
    """`POST /v1/completions` with one prompt."""

    def decode(self, body: bytes) -> ChatRequest:
        requests = decode_each(body)
        if len(requests) > 1:
            raise BadRequest("Only one prompt can be taken here", param="prompt")
        return requests[0]

    def whole(self, chunk: Chunk, answered: Answered) -> bytes:
        return join([(chunk, answered)])

    async def events(
        self, chunks: AsyncIterator[list[Chunk]], answered: Answered
    ) -> AsyncIterator[bytes]:
        offsets = Offsets()
        async for batch in chunks:
            events = [_event(chunk, answered, offsets) for chunk in batch]
            if out := b"".join(events):
                yield out
        yield DONE


def join(replies: Sequence[tuple[Chunk, Answered]]) -> bytes:
    """Whole replies to the prompts of one request, in their order, as one body."""
    bodies = [_object.decode(payload(chunk)) for chunk, _ in replies]
    choices: list[Json] = []
    for body in bodies:
        choices += [_choice(choice, len(choices)) for choice in _in_order(body)]
    first, (_, answered) = bodies[0], replies[0]
    used = [
        body.get("usage") or answered.usage
        for body, (_, answered) in zip(bodies, replies, strict=True)
    ]
    value = _head(first.get("id"), first.get("created"), first.get("model") or answered.model)
    return _encode({**value, "choices": choices, "usage": _sum(used)})


def _in_order(body: Json) -> list[Json]:
    choices: list[Json] = body.get("choices") or []
    return sorted(choices, key=lambda choice: choice.get("index") or 0)


def _choice(choice: Json, index: int) -> Json:
    message = choice.get("message") or {}
    return {
        "text": message.get("content") or "",
        "index": index,
        "logprobs": older_logprobs(choice.get("logprobs"), 0),
        "finish_reason": choice.get("finish_reason"),
    }


def _sum(used: list[Any]) -> Usage:
    """Counts of several replies together."""
    total = Usage()
    for usage in used:
        part = msgspec.convert(usage, Usage) if isinstance(usage, dict) else usage or Usage()
        total.prompt_tokens += part.prompt_tokens
        total.completion_tokens += part.completion_tokens
        total.total_tokens += part.total_tokens
    return total


def _head(id_: Any, created: Any, model: str) -> Json:
    return {
        "id": str(id_ or "").replace("chatcmpl-", "cmpl-", 1),
        "object": "text_completion",
        "created": int(created or 0),
        "model": model,
    }


def _event(chunk: Chunk, answered: Answered, offsets: Offsets) -> bytes:
    """One chunk as an event; nothing for one that holds no text and no end."""
    choices: list[Json] = []
    for part in chunk.choices:
        text = part.delta.content or ""
        if text or part.finish_reason is not None:
            choices.append(
                {
                    "text": text,
                    "index": part.index,
                    "logprobs": offsets.next(part.index, part.logprobs, text),
                    "finish_reason": part.finish_reason,
                }
            )
    if not choices and chunk.usage is None:
        return b""
    value = _head(chunk.id, chunk.created, chunk.model or answered.model)
    value["choices"] = choices
    if chunk.usage is not None:
        value["usage"] = chunk.usage
    return b"data: " + _encode(value) + b"\n\n"
