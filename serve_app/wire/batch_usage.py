"""Tokens of an answer, whatever API its body is of, as a batch adds them up."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct


class _In(Struct, frozen=True):
    cached_tokens: int | None = None


class _Out(Struct, frozen=True):
    reasoning_tokens: int | None = None


class _Usage(Struct, frozen=True):
    """Names of chat completions, and those of responses."""

    prompt_tokens: int | None = None
    input_tokens: int | None = None
    completion_tokens: int | None = None
    output_tokens: int | None = None
    prompt_tokens_details: _In | None = None
    input_tokens_details: _In | None = None
    completion_tokens_details: _Out | None = None
    output_tokens_details: _Out | None = None


class _Answer(Struct, frozen=True):
    usage: _Usage | None = None


class Tokens(Struct, frozen=True):
    input: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0


_answer: Final = msgspec.json.Decoder(_Answer)


def tokens_of(body: bytes) -> Tokens:
    """What an answer says of its tokens; nothing where it says nothing that makes sense."""
    try:
        usage = _answer.decode(body).usage
    except msgspec.MsgspecError:
        return Tokens()
    if usage is None:
        return Tokens()
    cached = usage.prompt_tokens_details or usage.input_tokens_details or _In()
    reasoning = usage.completion_tokens_details or usage.output_tokens_details or _Out()
    return Tokens(
        usage.prompt_tokens or usage.input_tokens or 0,
        cached.cached_tokens or 0,
        usage.completion_tokens or usage.output_tokens or 0,
        reasoning.reasoning_tokens or 0,
    )
