"""Which part of a conversation fits into a model's context: whole turns, the newest first."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from serve_app.core.types import Message

_INSTRUCTIONS = frozenset({"system", "developer"})


def fit(
    messages: Sequence[Message], budget_tokens: int, count: Callable[[Message], int]
) -> tuple[list[Message], int]:
    """The instructions and as many of the latest turns as the budget has room for.

    A turn begins with a user message. Turns are kept or left out as a whole, and so is a tool
    call with its answers. The latest turn stays even if it alone is too long: that is for the
    caller to refuse, not for us to cut.

    Args:
        count: tokens of one message; asked only for messages that may be kept.

    Returns:
        What is kept, in order, and how many messages were left out.
    """
    pinned = [i for i, message in enumerate(messages) if message.role in _INSTRUCTIONS]
    room = budget_tokens - sum(count(messages[i]) for i in pinned)
    kept = set(pinned)
    for age, turn in enumerate(reversed(_turns(messages))):
        room -= sum(count(messages[i]) for i in turn)
        if room < 0 and age > 0:
            break
        kept.update(turn)
    return [messages[i] for i in sorted(kept)], len(messages) - len(kept)


def _turns(messages: Sequence[Message]) -> list[list[int]]:
    """Indices of the messages of each turn, oldest turn first; instructions are in none."""
    turns: list[list[int]] = []
    turn_of_call: dict[str, int] = {}
    for i, message in enumerate(messages):
        if message.role in _INSTRUCTIONS:
            continue
        if message.role == "user" or not turns:
            turns.append([])
        if message.tool_call_id is not None:
            _join_from(turns, turn_of_call.get(message.tool_call_id, len(turns)))
        turns[-1].append(i)
        for call in message.tool_calls or ():
            turn_of_call[call.id] = len(turns) - 1
    return turns


def _join_from(turns: list[list[int]], first: int) -> None:
    """Make one turn of all from `first` on: an answer came after somebody spoke in between."""
    while len(turns) - 1 > first:
        last = turns.pop()
        turns[-1].extend(last)
