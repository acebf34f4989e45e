"""Counts what requests came to: plain dictionaries of integers, a few microseconds a request.

One key holds all that is known of one thing (a stage, what it decided, in which bucket its time
fell). Twice a second the keys become the series of the catalogue: by then many are one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import Any, Final

from serve_app.core.hits import HITS
from serve_app.core.settlement import Settlement
from serve_app.core.trail import Note
from serve_app.observe import catalog
from serve_app.observe.metric import SECOND
from serve_app.observe.observer import RequestEnd
from serve_app.observe.page import NO_TIME, Model, Page

_LIMITS: Final = frozenset(
    {"rate_limit_exceeded", "budget_exceeded", "limit_too_small", "limits_unavailable"}
)
_REMARKS: Final = frozenset({"hedged", "skipped"})
"""Notes about attempts that say how none ended."""
_FAILED: Final = frozenset({"transient", "candidate", "caller", "content", "interrupted"})
_LATENCY_S: Final = catalog.REQUEST_SECONDS.buckets
_STAGE_MS: Final = tuple(bound * 1000 for bound in catalog.STAGE_SECONDS.buckets)
_ANSWER_S: Final = catalog.GEN_AI_DURATION.buckets
_FIRST_S: Final = catalog.GEN_AI_FIRST_TOKEN.buckets
_PACE_S: Final = catalog.GEN_AI_PER_TOKEN.buckets
_TOKENS: Final = catalog.GEN_AI_TOKENS.buckets


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
        page = self._page
        for end in ends:
            route, seconds = end.route, end.duration_s
            at = bisect_left(_LATENCY_S, seconds)
            page.requests[route, end.status, end.tenant if self.by_tenant else "", at] += 1
            page.request_us[route] += int(seconds * SECOND)
            page.request_last[route, at] = end
            if end.error:
                page.errors[route, end.error] += 1
            if end.cache != "none":
                page.lookups[end.cache] += 1
            if end.model and end.cache not in HITS:
                _answered(page, end)
            _walked(page, end.trail.notes)

    def settled(self, settled: Iterable[Settlement]) -> None:
        """Tokens and money, as they stand in the ledger."""
        page = self._page
        for one in settled:
            payer = (one.backend, one.model, one.tenant if self.by_tenant else "")
            if one.cost_micro_usd:
                page.costs[payer] += one.cost_micro_usd
            if one.saved_micro_usd:
                page.saved[one.backend, one.model] += one.saved_micro_usd
            if one.cache_level in HITS:
                continue
            page.tokens[payer, "input"] += one.prompt_tokens
            page.tokens[payer, "output"] += one.completion_tokens
            if one.cached_tokens:
                page.tokens[payer, "cached"] += one.cached_tokens


def _answered(page: Page, end: RequestEnd) -> None:
    of, seconds = (end.route, end.backend, end.model), end.duration_s
    at = bisect_left(_ANSWER_S, seconds)
    page.answers[of, at] += 1
    page.answer_us[of] += int(seconds * SECOND)
    page.answer_last[of, at] = end
    given, output = end.prompt_tokens, end.completion_tokens
    page.usages[of, "input", bisect_left(_TOKENS, given)] += 1
    page.usages[of, "output", bisect_left(_TOKENS, output)] += 1
    page.token_sums[of, "input"] += given
    page.token_sums[of, "output"] += output
    first = end.first_content_s
    if first is None:
        return
    page.firsts[of, bisect_left(_FIRST_S, first)] += 1
    page.first_us[of] += int(first * SECOND)
    if output > 1:
        pace = (seconds - first) / (output - 1)
        page.paces[of, bisect_left(_PACE_S, pace)] += 1
        page.pace_us[of] += int(pace * SECOND)


def _walked(page: Page, notes: list[Note]) -> None:
    """Count what the stages of a request decided."""
    stages, stage_us = page.stages, page.stage_us
    failed: set[Model] = set()
    for stage, decision, _, facts, took_ms in notes:
        if took_ms > 0:
            stages[stage, decision, bisect_left(_STAGE_MS, took_ms)] += 1
            stage_us[stage] += int(took_ms * 1000)
        elif "rule" in facts:
            page.findings[facts["rule"], decision] += facts.get("count", 1)
            continue
        else:
            stages[stage, decision, NO_TIME] += 1
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
    of = (facts["backend"], facts["model"])
    if outcome in _REMARKS:
        page.attempts[of, outcome, NO_TIME] += 1
        return
    seconds = facts["ms"] / 1000
    page.attempts[of, outcome, bisect_left(_LATENCY_S, seconds)] += 1
    page.attempt_us[of] += int(seconds * SECOND)
    if failed and of in failed:
        page.retries[of] += 1
    if outcome in _FAILED:
        failed.add(of)
