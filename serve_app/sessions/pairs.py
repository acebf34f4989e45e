"""Tool calls and their results: what belongs together stays together, or goes together."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from serve_app.core.types import Message


def grouped(turns: Sequence[Sequence[Message]]) -> list[range]:
    """Turns that belong together, in order: one each, but from a turn that calls a tool to the one
    that has the result. A call id that is used again means the newer call."""
    groups: list[range] = []
    called_in: dict[str, int] = {}
    for i, messages in enumerate(turns):
        groups.append(range(i, i + 1))
        for message in messages:
            caller = called_in.get(message.tool_call_id or "", i)
            while groups[-1].start > caller:
                groups[-2:] = [range(groups[-2].start, groups[-1].stop)]
            for call in message.tool_calls or ():
                called_in[call.id] = i
    return groups


def paired(history: Sequence[Message], said: Sequence[Message]) -> list[Message]:
    """A history without halves of pairs: providers refuse a result without its call, and a call
    without its result.

    Halves come of messages that were deleted, and of callers that never sent a result.

    Args:
        said: what comes after it; it may have results for calls in the history.
    """
    answered = _answered([*history, *said])
    kept: list[Message] = []
    open_calls: set[str] = set()
    for i, message in enumerate(history):
        if message.tool_call_id is not None and message.tool_call_id not in open_calls:
            continue
        whole = _with_calls(message, answered.get(i, frozenset()))
        if whole is not None:
            kept.append(whole)
            open_calls.update(call.id for call in whole.tool_calls or ())
    return kept


def _answered(messages: Sequence[Message]) -> dict[int, set[str]]:
    """By message, which of its calls have a result."""
    found: dict[int, set[str]] = {}
    caller: dict[str, int] = {}
    for i, message in enumerate(messages):
        if message.tool_call_id is not None and message.tool_call_id in caller:
            found.setdefault(caller[message.tool_call_id], set()).add(message.tool_call_id)
        for call in message.tool_calls or ():
            caller[call.id] = i
    return found


def _with_calls(message: Message, answered: set[str] | frozenset[str]) -> Message | None:
    """The message with those of its calls that have a result; None: nothing is left of it."""
    if not message.tool_calls:
        return message
    calls = [call for call in message.tool_calls if call.id in answered]
    if len(calls) == len(message.tool_calls):
        return message
    if not calls and not message.content:
        return None
    return replace(message, tool_calls=calls or None)
