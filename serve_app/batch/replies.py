"""What a gateway says to one row, read: an answer with its cost, or a refusal."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec
from msgspec import Struct

from serve_app.batch.results import Result

COST: Final = "x-serve-app-cost-usd"
CACHE: Final = "x-serve-app-cache"
_FRESH: Final = frozenset({"", "miss", "bypass"})
_MESSAGE_CHARS: Final = 500
_NOTHING: Final = msgspec.Raw(b"null")


class Refusal(Struct, frozen=True):
    """No answer."""

    status: int
    """0: nobody said anything."""
    code: str
    message: str
    is_transient: bool
    """Another try may pass."""
    retry_after_s: float | None = None
    request_id: str = ""


class _Message(Struct):
    content: str | None = None
    tool_calls: msgspec.Raw = _NOTHING
    refusal: str | None = None


class _Choice(Struct):
    message: _Message
    finish_reason: str | None = None


class _Usage(Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Completion(Struct):
    """Of OpenAI's `chat.completion`, what is kept."""

    choices: list[_Choice]
    usage: _Usage | None = None


_completion = msgspec.json.Decoder(_Completion)


def read_answer(
    row: int, headers: Mapping[str, str], content: bytes, began: float, ended: float
) -> Result | Refusal:
    """The result that a body with status 200 is."""
    try:
        said = _completion.decode(content)
        choice = said.choices[0]
    except (msgspec.MsgspecError, IndexError):
        return Refusal(200, "no_answer", "the answer is no chat completion", False)
    usage = said.usage or _Usage()
    return Result(
        row,
        response=_text(choice.message),
        finish_reason=choice.finish_reason or "",
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        cost_micro_usd=_micro_usd(headers.get(COST, "")),
        cached=headers.get(CACHE, "") not in _FRESH,
        began=began,
        ended=ended,
    )


def _text(message: _Message) -> str:
    """The content; calls of tools as JSON where there is none."""
    if message.content is None and message.tool_calls != _NOTHING:
        return bytes(message.tool_calls).decode()
    return message.content if message.content is not None else message.refusal or ""


def _micro_usd(text: str) -> int:
    try:
        return int(Decimal(text) * 1_000_000) if text else 0
    except (InvalidOperation, ValueError):
        return 0


def read_refusal(
    status: int, headers: Mapping[str, str], content: bytes, is_transient: bool
) -> Refusal:
    """What a body with another status says, in OpenAI's error shape or any other."""
    error = _error(content)
    code = error.get("code")
    return Refusal(
        status,
        str(code) if code else f"http_{status}",
        str(error.get("message") or "").strip()[:_MESSAGE_CHARS] or f"HTTP {status}",
        is_transient,
        _seconds(headers.get("retry-after", "")),
        headers.get("x-request-id", ""),
    )


def _error(content: bytes) -> Mapping[str, Any]:
    try:
        said = msgspec.json.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return {}
    error = said.get("error") if isinstance(said, dict) else None
    return error if isinstance(error, dict) else {}


def _seconds(text: str) -> float | None:
    """`Retry-After` as a number of seconds (RFC 9110, 10.2.3); its dates are not of use here."""
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None
