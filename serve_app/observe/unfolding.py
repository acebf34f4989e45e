"""A page of counts as series of the catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Final

from serve_app.observe import catalog
from serve_app.observe.metric import Metric
from serve_app.observe.observer import RequestEnd
from serve_app.observe.page import NO_TIME, Answer, Example, Page, Part

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
            _requests(page), _stages(page), _attempts(page), _counters(page), self._answers(page)
        )

    def examples(self, page: Page) -> Examples:
        """A request of each bucket of the latencies."""
        of = catalog.REQUEST_SECONDS
        for (route, at), end in page.request_last.items():
            yield of.name, (route,), bound(of, at), _example(end)
        of = catalog.GEN_AI_DURATION
        for (answer, at), end in page.answer_last.items():
            yield of.name, self._named(answer), bound(of, at), _example(end)

    def _named(self, answer: Answer) -> tuple[str, str, str]:
        route, backend, model = answer
        return _OPERATIONS.get(route, "chat"), self._providers.get(backend, backend), model

    def _answers(self, page: Page) -> Iterator[Part]:
        for metric, counts, sums in (
            (catalog.GEN_AI_DURATION, page.answers, page.answer_us),
            (catalog.GEN_AI_FIRST_TOKEN, page.firsts, page.first_us),
            (catalog.GEN_AI_PER_TOKEN, page.paces, page.pace_us),
        ):
            for (answer, at), n in counts.items():
                yield Part(metric.name, self._named(answer), bound(metric, at), n)
            for answer, total in sums.items():
                yield Part(metric.name, self._named(answer), SUM, total)
        usage = catalog.GEN_AI_TOKENS
        for (answer, kind, at), n in page.usages.items():
            yield Part(usage.name, (*self._named(answer), kind), bound(usage, at), n)
        for (answer, kind), total in page.token_sums.items():
            yield Part(usage.name, (*self._named(answer), kind), SUM, total)


def bound(metric: Metric, at: int) -> str:
    """A bucket's upper bound, as it is exposed."""
    return str(metric.buckets[at]) if at < len(metric.buckets) else INFINITE


def _requests(page: Page) -> Iterator[Part]:
    requests, seconds = catalog.REQUESTS.name, catalog.REQUEST_SECONDS
    for (route, status, tenant, at), n in page.requests.items():
        yield Part(requests, _with(tenant, route, str(status)), "", n)
        yield Part(seconds.name, (route,), bound(seconds, at), n)
    for route, total in page.request_us.items():
        yield Part(seconds.name, (route,), SUM, total)


def _stages(page: Page) -> Iterator[Part]:
    decisions, seconds = catalog.STAGE_DECISIONS.name, catalog.STAGE_SECONDS
    for (stage, decision, at), n in page.stages.items():
        yield Part(decisions, (stage, decision), "", n)
        if at != NO_TIME:
            yield Part(seconds.name, (stage,), bound(seconds, at), n)
    for stage, total in page.stage_us.items():
        yield Part(seconds.name, (stage,), SUM, total)


def _attempts(page: Page) -> Iterator[Part]:
    attempts, seconds = catalog.ATTEMPTS.name, catalog.ATTEMPT_SECONDS
    for (of, outcome, at), n in page.attempts.items():
        yield Part(attempts, (*of, outcome), "", n)
        if at != NO_TIME:
            yield Part(seconds.name, of, bound(seconds, at), n)
    for of, total in page.attempt_us.items():
        yield Part(seconds.name, of, SUM, total)


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
    for (backend, model, tenant), cost in page.costs.items():
        yield Part(catalog.COST.name, _with(tenant, backend, model), "", cost)
    for ((backend, model, tenant), direction), n in page.tokens.items():
        yield Part(catalog.TOKENS.name, _with(tenant, backend, model, direction), "", n)


def _with(tenant: str, *values: str) -> tuple[str, ...]:
    return (*values, tenant) if tenant else values


def _example(end: RequestEnd) -> Example:
    trail = end.trail
    ended_at = trail.began_at + end.duration_s
    return Example(trail.trace_id, trail.request_id, end.duration_s, ended_at)
