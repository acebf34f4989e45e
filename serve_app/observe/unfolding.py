"""A page of counts as series of the catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Final

from serve_app.observe import catalog
from serve_app.observe.metric import Metric
from serve_app.observe.observer import RequestEnd
from serve_app.observe.page import Answer, Example, Outcome, Page, Part, Spread

SUM: Final = "sum"
INFINITE: Final = "+Inf"
_OPERATIONS: Final = {"/v1/embeddings": "embeddings", "/v1/completions": "text_completion"}
"""What OpenTelemetry calls them; all else is `chat`."""

Examples = Iterable[tuple[str, tuple[str, ...], str, Example]]
"""Metric, label values and bucket, with a request that fell there."""


class Unfolding:
    """Turns pages into series.

    Args:
        providers: by backend, what OpenTelemetry calls its provider; else it is the backend.
    """

    def __init__(self, providers: Mapping[str, str]) -> None:
        self._providers = providers

    def parts(self, page: Page) -> Iterator[Part]:
        """Every series that grew. One may come several times."""
        return chain(
            _requests(page),
            _stages(page),
            _attempts(page),
            _counters(page),
            _spent(page),
            self._answers(page),
        )

    def examples(self, page: Page) -> Examples:
        """A request of each bucket of the latencies."""
        of = catalog.REQUEST_SECONDS
        for (route, _, _), spread in page.requests.items():
            yield from _shown(of, (route,), spread)
        of = catalog.GEN_AI_DURATION
        for answer, answers in page.answers.items():
            yield from _shown(of, self._named(answer), answers.taken)

    def _named(self, answer: Answer) -> tuple[str, str, str]:
        route, backend, model = answer
        return _OPERATIONS.get(route, "chat"), self._providers.get(backend, backend), model

    def _answers(self, page: Page) -> Iterator[Part]:
        for answer, answers in page.answers.items():
            named = self._named(answer)
            for metric, values, spread in (
                (catalog.GEN_AI_DURATION, named, answers.taken),
                (catalog.GEN_AI_FIRST_TOKEN, named, answers.first),
                (catalog.GEN_AI_PER_TOKEN, named, answers.pace),
                (catalog.GEN_AI_TOKENS, (*named, "input"), answers.given),
                (catalog.GEN_AI_TOKENS, (*named, "output"), answers.output),
            ):
                yield from _spread(metric, values, spread)


def bound(metric: Metric, at: int) -> str:
    """A bucket's upper bound, as it is exposed."""
    return str(metric.buckets[at]) if at < len(metric.buckets) else INFINITE


def _spread(metric: Metric, values: tuple[str, ...], spread: Spread) -> Iterator[Part]:
    """A histogram, where anything fell into it."""
    for at, n in enumerate(spread.counts):
        if n:
            yield Part(metric.name, values, bound(metric, at), n)
    if any(spread.counts):
        yield Part(metric.name, values, SUM, spread.total)


def _shown(metric: Metric, values: tuple[str, ...], spread: Spread) -> Examples:
    for at, end in spread.last.items():
        yield metric.name, values, bound(metric, at), _example(end)


def _requests(page: Page) -> Iterator[Part]:
    requests, seconds = catalog.REQUESTS.name, catalog.REQUEST_SECONDS
    for (route, status, tenant), spread in page.requests.items():
        yield Part(requests, _with(tenant, route, str(status)), "", sum(spread.counts))
        yield from _spread(seconds, (route,), spread)


def _stages(page: Page) -> Iterator[Part]:
    for (stage, decision), outcome in page.stages.items():
        yield Part(catalog.STAGE_DECISIONS.name, (stage, decision), "", _count(outcome))
        yield from _spread(catalog.STAGE_SECONDS, (stage,), outcome.timed)


def _attempts(page: Page) -> Iterator[Part]:
    for attempt, outcome in page.attempts.items():
        yield Part(catalog.ATTEMPTS.name, attempt, "", _count(outcome))
        yield from _spread(catalog.ATTEMPT_SECONDS, attempt[:2], outcome.timed)


def _count(outcome: Outcome) -> int:
    return sum(outcome.timed.counts) + outcome.untimed


def _counters(page: Page) -> Iterator[Part]:
    for metric, counts in (
        (catalog.ERRORS, page.errors),
        (catalog.RETRIES, page.retries),
        (catalog.FINDINGS, page.findings),
        (catalog.TOOL_CALLS, page.tools),
        (catalog.SAVED, page.saved),
    ):
        for values, n in counts.items():
            yield Part(metric.name, values, "", n)
    for metric, single in (
        (catalog.CACHE_LOOKUPS, page.lookups),
        (catalog.LIMITS_REFUSED, page.refused),
    ):
        for value, n in single.items():
            yield Part(metric.name, (value,), "", n)


def _spent(page: Page) -> Iterator[Part]:
    for (backend, model, tenant), spent in page.spent.items():
        if spent.cost:
            yield Part(catalog.COST.name, _with(tenant, backend, model), "", spent.cost)
        for direction in ("input", "output", "cached"):
            if n := getattr(spent, direction):
                yield Part(catalog.TOKENS.name, _with(tenant, backend, model, direction), "", n)


def _with(tenant: str, *values: str) -> tuple[str, ...]:
    return (*values, tenant) if tenant else values


def _example(end: RequestEnd) -> Example:
    trail = end.trail
    ended_at = trail.began_at + end.duration_s
    return Example(trail.trace_id, trail.request_id, end.duration_s, ended_at)
