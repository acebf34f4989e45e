"""Which tier a request to `auto` needs: a query and a policy in, a tier with its reason out.

`strong` for one with much need of reasoning, `cheap` for a short one with little, `default` for
the rest. All requests of one tool loop get the same answer, as long as their `text`, `turns` and
`opening_tokens` are those of the conversation up to its last user message.
"""

from __future__ import annotations

from typing import NamedTuple

from serve_app.config.policy import RoutingPolicy
from serve_app.core.plan import PlanQuery
from serve_app.routing.need import need


class Verdict(NamedTuple):
    """What a judge made of a text: `score` from `threshold` on is for the strong tier."""

    score: float
    threshold: float


class Decision(NamedTuple):
    tier: str
    why: str
    need: float
    """0 to 1: the judge's score, or the rule's where nobody judged."""
    signals: dict[str, float]


def decide(policy: RoutingPolicy, query: PlanQuery, verdict: Verdict | None = None) -> Decision:
    """The tier that a request needs; with a verdict, that decides about `strong`, except that a
    greeting or a chore (no need at all, by a signal that says so) never goes there: labelled
    examples hold none, so the judge cannot know them."""
    score, signals = need(query.text, query.turns)
    if verdict is None:
        if score >= policy.strong_need:
            why = f"strong tier: need {score:.2f}, at least {policy.strong_need:g}"
            return Decision("strong", why, score, signals)
        return Decision(*_without_strong(policy, query, score), score, signals)
    learned, least = verdict
    is_chore = score == 0.0 and any(weight < 0 for weight in signals.values())
    if learned >= least and not is_chore:
        why = f"strong tier: learned need {learned:.2f}, at least {least:.2f}"
        return Decision("strong", why, learned, signals)
    tier, why = _without_strong(policy, query, score)
    against = "a greeting or chore" if is_chore else f"below {least:.2f}"
    return Decision(tier, f"{why}; learned need {learned:.2f}, {against}", learned, signals)


def _without_strong(policy: RoutingPolicy, query: PlanQuery, score: float) -> tuple[str, str]:
    tokens = query.opening_tokens if query.conversation else 0
    tokens = tokens or query.prompt_tokens
    if tokens > policy.short_tokens:
        return "default", f"default tier: need {score:.2f}, {tokens} tokens are not short"
    if score < policy.cheap_need:
        return "cheap", f"cheap tier: short, need {score:.2f} below {policy.cheap_need:g}"
    return "default", f"default tier: need {score:.2f}, neither low nor high"
