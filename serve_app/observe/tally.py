"""Counts what requests came to: plain integers, a few microseconds a request.

One entry holds all that is known of one thing (a stage and what it decided, a model's answers).
Twice a second the entries become the series of the catalogue.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from serve_app.core.hits import HITS
from serve_app.core.settlement import Settlement
from serve_app.core.trail import Note
from serve_app.observe.metric import SECOND
from serve_app.observe.observer import RequestEnd
from serve_app.observe.page import Answers, Model, Page

_LIMITS: Final = frozenset(
    {"rate_limit_exceeded", "budget_exceeded", "limit_too_small", "limits_unavailable"}
)
_REMARKS: Final = frozenset({"hedged", "skipped"})
"""Notes about attempts that say how none ended."""
_FAILED: Final = frozenset({"transient", "candidate", "caller", "content", "interrupted"})


class Tally:
    """Counts into a page, until it is turned."""

    def __init__(self) -> None:
        self.by_tenant = False
        self._page = Page()

    def turned(self) -> Page:
        """What was counted since the last time."""
        page, self._page = self._page, Page()
        return page

    def ended(self, ends: Iterable[RequestEnd]) -> None:
        page, by_tenant = self._page, self.by_tenant
        for end in ends:
            route, seconds = end.route, end.duration_s
            spread = page.requests[route, end.status, end.tenant if by_tenant else ""]
            spread.last[spread.add(seconds, int(seconds * SECOND))] = end
            if end.error:
                page.errors[route, end.error] += 1
            if end.cache != "none":
                page.lookups[end.cache] += 1
            if end.model and end.cache not in HITS:
                _answered(page.answers[route, end.backend, end.model], end)
            _walked(page, end.trail.notes)

    def settled(self, settled: Iterable[Settlement]) -> None:
        """Tokens and money, as they stand in the ledger."""
        page, by_tenant = self._page, self.by_tenant
        for one in settled:
            spent = page.spent[one.backend, one.model, one.tenant if by_tenant else ""]
            spent.cost += one.cost_micro_usd
            if one.saved_micro_usd:
                page.saved[one.backend, one.model] += one.saved_micro_usd
            if one.cache_level in HITS:
                continue
            spent.input += one.prompt_tokens
            spent.output += one.completion_tokens
            spent.cached += one.cached_tokens


def _answered(answers: Answers, end: RequestEnd) -> None:
    seconds, output = end.duration_s, end.completion_tokens
    taken = answers.taken
    taken.last[taken.add(seconds, int(seconds * SECOND))] = end
    answers.given.add(end.prompt_tokens, end.prompt_tokens)
    answers.output.add(output, output)
    first = end.first_content_s
    if first is None:
        return
    answers.first.add(first, int(first * SECOND))
    if output > 1:
        pace = (seconds - first) / (output - 1)
        answers.pace.add(pace, int(pace * SECOND))


def _walked(page: Page, notes: list[Note]) -> None:
    """Count what the stages of a request decided."""
    stages = page.stages
    failed: set[Model] = set()
    for stage, decision, _, facts, took_ms in notes:
        if took_ms > 0:
            stages[stage, decision].timed.add(took_ms, int(took_ms * 1000))
        elif "rule" in facts:
            page.findings[facts["rule"], decision] += facts.get("count", 1)
            continue
        else:
            stages[stage, decision].untimed += 1
        if stage == "attempt":
            _tried(page, decision, facts, failed)
        elif stage == "tool":
            page.tools[facts["source"], decision] += 1
        elif decision == "refused" and facts.get("code") in _LIMITS:
            page.refused[facts["code"]] += 1


def _tried(page: Page, outcome: str, facts: dict[str, Any], failed: set[Model]) -> None:
    """
    Args:
        failed: the models whose calls failed before, for the same request.
    """
    backend, model = facts["backend"], facts["model"]
    attempts = page.attempts[backend, model, outcome]
    if outcome in _REMARKS:
        attempts.untimed += 1
        return
    seconds = facts["ms"] / 1000
    attempts.timed.add(seconds, int(seconds * SECOND))
    if failed and (backend, model) in failed:
        page.retries[backend, model] += 1
    if outcome in _FAILED:
        failed.add((backend, model))
