"""What several answers amount to for the caller of one: the last one's facts, and the sums."""

from __future__ import annotations

from typing import Any

from serve_app.core.types import Usage
from serve_app.passage import Facts

_OWN = frozenset({"tool_steps", "tool_lists", "tool_stop", "usage", "cost_micro_usd", "attempts",
                  "warnings", "first_content_ms", "cache", "age_s", "fingerprint"})  # fmt: skip
"""Facts that are not simply those of the last answer."""


class Total:
    """Adds up."""

    def __init__(self) -> None:
        self.facts = Facts()
        self._before = Facts()
        """Sums of the answers that are over."""
        self.steps = 0

    def hear(self, step: Facts) -> None:
        """An answer has begun or has come further; what is known of it counts."""
        facts, before = self.facts, self._before
        for name in step.__struct_fields__:
            if name not in _OWN:
                setattr(facts, name, getattr(step, name))
        facts.usage = usage_sum(before.usage, step.usage)
        facts.cost_micro_usd = before.cost_micro_usd + step.cost_micro_usd
        facts.attempts = before.attempts + step.attempts
        facts.warnings = [*dict.fromkeys([*before.warnings, *step.warnings])]
        first = self.steps == 0
        facts.first_content_ms = step.first_content_ms if first else before.first_content_ms
        facts.age_s = max(before.age_s, step.age_s)
        facts.cache = step.cache if first or step.cache == before.cache else "miss"
        facts.fingerprint = step.fingerprint if first else ""

    def close(self, step: Facts) -> None:
        """An answer is over."""
        self.hear(step)
        self.steps += 1
        known, before = self.facts, self._before
        for name in ("usage", "cost_micro_usd", "attempts", "warnings", "first_content_ms",
                     "age_s", "cache"):  # fmt: skip
            setattr(before, name, getattr(known, name))


def usage_sum(one: Usage | None, other: Usage | None) -> Usage | None:
    """Tokens of both, details included."""
    if one is None or other is None:
        return other or one
    return Usage(
        one.prompt_tokens + other.prompt_tokens,
        one.completion_tokens + other.completion_tokens,
        one.total_tokens + other.total_tokens,
        _details(one.prompt_tokens_details, other.prompt_tokens_details),
        _details(one.completion_tokens_details, other.completion_tokens_details),
    )


def _details(one: dict[str, Any] | None, other: dict[str, Any] | None) -> dict[str, Any] | None:
    if one is None or other is None:
        return other or one
    return {
        name: (one.get(name) or 0) + (other.get(name) or 0)
        for name in {**one, **other}
        if all(isinstance(d.get(name) or 0, int | float) for d in (one, other))
    }
