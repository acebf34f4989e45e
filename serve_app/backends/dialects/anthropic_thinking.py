"""Claude's thinking: how much of it a request asks for, and the blocks of it that go back.

A block goes out to callers as `reasoning_content` and an entry of `reasoning_details` with its
signature. Claude wants its blocks back exactly as they were, above all within a tool loop, so the
entry says how many characters of the reasoning it covers: a reasoning that was changed on its
way (a filter, a client) no longer adds up and is left out, where Claude would refuse it.
"""

from __future__ import annotations

from itertools import accumulate

from msgspec import Struct

from serve_app.backends.dialects.anthropic_models import Manners
from serve_app.backends.dialects.canonical_request import Asked, Json, Message

FORMAT = "anthropic-claude-v1"
"""`format` of our entries in `reasoning_details`; those of other providers have other ones."""

MIN_BUDGET = 1024
"""Tokens; the API refuses less."""

_BUDGETS = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 16_384}
_MOST_BUDGET = 32_768
_EFFORTS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "max": "max"}


class Thinking(Struct, frozen=True):
    """The fields that say how much to think, and whether blocks of it may go back."""

    fields: Json = {}
    effort: str | None = None
    """`output_config.effort`."""
    takes_back: bool = False

    @property
    def is_manual(self) -> bool:
        return "budget_tokens" in self.fields.get("thinking", ())


def thinking_for(
    asked: Asked, manners: Manners, max_tokens: int, *, is_forced: bool, is_begun: bool
) -> Thinking:
    """How much to think.

    Args:
        is_forced: a tool must be called, which goes only without thinking.
        is_begun: the answer was begun already, so there is nothing to think before it.
    """
    if manners.is_adaptive:
        return _adaptive(asked.reasoning_effort, manners, is_forced=is_forced)
    effort = asked.reasoning_effort
    if effort in (None, "none") or is_forced or is_begun or _has_unthought_calls(asked.messages):
        return Thinking()
    budget = min(_BUDGETS.get(effort or "", _MOST_BUDGET), max_tokens // 2)
    if budget < MIN_BUDGET:
        return Thinking()
    return Thinking({"thinking": {"type": "enabled", "budget_tokens": budget}}, takes_back=True)


def _adaptive(effort: str | None, manners: Manners, *, is_forced: bool) -> Thinking:
    if is_forced:
        return Thinking({"thinking": {"type": "disabled"}} if manners.thinks_unasked else {})
    if effort is None:
        return Thinking(takes_back=manners.thinks_unasked)
    if effort == "none":  # some models cannot stop thinking; all can do little of it
        return Thinking(effort="low", takes_back=manners.thinks_unasked)
    # Newer models show nothing of their thinking unless they are asked to.
    shown = {"type": "adaptive", "display": "summarized"}
    highest = "xhigh" if manners.takes_xhigh else "high"
    return Thinking({"thinking": shown}, _EFFORTS.get(effort, highest), takes_back=True)


def _has_unthought_calls(messages: list[Message]) -> bool:
    """True within a tool loop whose calls have lost the thinking before them: Claude may then
    not begin to think."""
    for message in reversed(messages):
        if message.role == "assistant" and message.tool_calls and not thoughts_of(message):
            return True
        if message.role not in ("assistant", "tool"):
            return False
    return False


def thoughts_of(message: Message) -> list[Json]:
    """The blocks of thinking of an earlier answer, in order; none if they are not whole."""
    details = [d for d in message.reasoning_details or () if d.get("format", FORMAT) == FORMAT]
    texts = _texts([d for d in details if _is_signed(d)], message.reasoning_content or "")
    if texts is None:
        return []
    blocks: list[Json] = []
    for entry in details:
        if _is_signed(entry):
            thinking = {"thinking": texts.pop(0), "signature": entry["signature"]}
            blocks.append({"type": "thinking", **thinking})
        elif entry.get("type") == "reasoning.encrypted" and isinstance(entry.get("data"), str):
            blocks.append({"type": "redacted_thinking", "data": entry["data"]})
    return blocks


def _is_signed(entry: Json) -> bool:
    return entry.get("type") == "reasoning.text" and bool(entry.get("signature"))


def _texts(signed: list[Json], reasoning: str) -> list[str] | None:
    """The text of each signed block: its own, else its share of the reasoning; None if the
    shares do not add up."""
    own = [entry["text"] for entry in signed if isinstance(entry.get("text"), str)]
    if len(own) == len(signed):
        return own
    counts = [entry.get("chars", len(reasoning) if len(signed) == 1 else None) for entry in signed]
    shares = [count for count in counts if isinstance(count, int) and count >= 0]
    if len(shares) != len(signed) or sum(shares) != len(reasoning):
        return None
    ends = list(accumulate(shares))
    return [reasoning[end - share : end] for end, share in zip(ends, shares, strict=True)]


def detail(index: int, signature: str, chars: int) -> Json:
    """The entry of a block of thinking; `index` is its place among the reply's blocks."""
    return {
        "type": "reasoning.text",
        "signature": signature,
        "chars": chars,
        "format": FORMAT,
        "index": index,
    }


def sealed(index: int, data: str) -> Json:
    """The entry of a block that only Claude can read."""
    return {"type": "reasoning.encrypted", "data": data, "format": FORMAT, "index": index}
