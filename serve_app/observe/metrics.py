"""Every metric name and label of the service, in one place.

Counters are of this replica and carry its id, so that a scraper which meets several replicas
behind one address sums them rightly. Labels are bounded: backends and models come from the
configuration, routes from the code.
"""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from serve_app.core.kept import CacheState
from serve_app.core.settlement import Settlement
from serve_app.core.vital import Queue, Reading
from serve_app.observe.observer import RequestEnd

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_LATENCY_S = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class Metrics:
    """Turns ends of requests into Prometheus metrics."""

    def __init__(self, replica: str, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self._replica = replica
        of_model, of_class = ["backend", "model"], ["backend", "priority"]
        self._requests = self._counter(
            "requests", "Requests by route and status", ["route", "status"]
        )
        self._seconds = self._histogram(
            "request_seconds", "Seconds from the first byte in to the last byte out", ["route"]
        )
        self._first = self._histogram(
            "first_content_seconds", "Seconds to the first content of a stream", of_model
        )
        self._tokens = self._counter("tokens", "Tokens by direction", [*of_model, "direction"])
        self._cost = self._counter("cost_micro_usd", "Cost in millionths of a US dollar", of_model)
        self._cache = self._counter("cache_lookups", "Cache lookups by level", ["level"])
        self._attempts = self._counter(
            "attempts", "Attempts at backends by outcome", [*of_model, "outcome"]
        )
        self._tool_calls = self._counter(
            "tool_calls", "Calls of tools that run here, by name or server", ["tool", "outcome"]
        )
        self._findings = self._counter("filter_findings", "Filter findings by rule", ["rule"])
        self.running = Gauge(
            "serve_app_running_requests",
            "Requests being answered",
            ["replica"],
            registry=self.registry,
        ).labels(replica)
        self.backend = Gauge(
            "serve_app_backend_state",
            "1 while a model's breaker is open, or while it is away (not up, key refused)",
            ["replica", *of_model, "state"],
            registry=self.registry,
        )
        self.calls = Gauge(
            "serve_app_backend_calls",
            "Calls under way at a backend's model, of all replicas",
            ["replica", *of_model],
            registry=self.registry,
        )
        self.turns_running = self._gauge(
            "turns_running", "Calls that have a turn at a local model", ["backend"]
        )
        self.turns_waiting = self._gauge(
            "turns_waiting", "Calls that wait for a turn at a local model", of_class
        )
        self._turns_refused = self._counter(
            "turns_refused", "Calls that got no turn at a local model", [*of_class, "reason"]
        )
        self._refused_before: dict[tuple[str, str, str], int] = {}
        self.cache_entries = self._gauge(
            "cache_entries", "Answers in the first level, and questions found by likeness", ["what"]
        )
        self.cache_bytes = self._gauge("cache_bytes", "Bytes of the first level's answers", [])
        self.verified = self._gauge(
            "cache_verified", "Would-be hits by likeness that were compared, of all replicas", []
        )
        self.wrong_share = self._gauge(
            "cache_wrong_share",
            "Estimated share of wrong hits by likeness, with its 95 % interval, of all replicas",
            ["bound"],
        )
        self.tasks = self._gauge("tasks", "Background tasks of all replicas", ["priority", "state"])
        self.tasks_oldest = self._gauge(
            "tasks_oldest_seconds", "Age of the oldest task that waits, of all replicas", []
        )
        self.tasks_here = self._gauge(
            "tasks_here", "Background tasks that this process does", []
        ).labels(replica)
        self.lost = Gauge(
            "serve_app_lost",
            "What had to be given up since this replica started, because a buffer was full",
            ["replica", "what"],
            registry=self.registry,
        )

    def show_cache(self, state: CacheState) -> None:
        """Show what the cache holds, and how often it is wrong."""
        for what, count in (("l1", state.l1_entries), ("questions", state.questions)):
            self.cache_entries.labels(self._replica, what).set(count)
        self.cache_bytes.labels(self._replica).set(state.l1_bytes)
        self.verified.labels(self._replica).set(state.verified)
        shares = (state.wrong_share, state.wrong_low, state.wrong_high)
        for which, share in zip(("estimate", "low", "high"), shares, strict=True):
            self.wrong_share.labels(self._replica, which).set(share)

    def show_vitals(self, readings: Iterable[tuple[str, str, Reading]]) -> None:
        """Show how the backends' models are doing, as (backend, model, reading)."""
        for backend, model, reading in readings:
            of_model = (self._replica, backend, model)
            for state, on in (("open", reading.is_open), ("away", bool(reading.away))):
                self.backend.labels(*of_model, state).set(on)
            self.calls.labels(*of_model).set(reading.running)

    def show_queue(self, backend: str, queue: Queue) -> None:
        """Show how many calls run, wait and were refused at a local model."""
        self.turns_running.labels(self._replica, backend).set(queue.running)
        for priority, waiting in queue.waiting.items():
            self.turns_waiting.labels(self._replica, backend, priority).set(waiting)
        for (priority, reason), count in queue.refused.items():
            of = (backend, priority, reason)
            news = count - self._refused_before.get(of, 0)
            self._refused_before[of] = count
            self._turns_refused.labels(self._replica, *of).inc(news)

    def show_tasks(self, counts: Iterable[tuple[str, str, int]], oldest_s: float) -> None:
        """Show how many tasks there are, as (priority, state, number)."""
        for priority, state, number in counts:
            self.tasks.labels(self._replica, priority, state).set(number)
        self.tasks_oldest.labels(self._replica).set(oldest_s)

    def lose(self, what: str, count: int) -> None:
        """Show how much of something was given up so far."""
        self.lost.labels(self._replica, what).set(count)

    def _gauge(self, name: str, what: str, labels: list[str]) -> Gauge:
        return Gauge(f"serve_app_{name}", what, ["replica", *labels], registry=self.registry)

    def _counter(self, name: str, what: str, labels: list[str]) -> Counter:
        return Counter(f"serve_app_{name}", what, ["replica", *labels], registry=self.registry)

    def _histogram(self, name: str, what: str, labels: list[str]) -> Histogram:
        return Histogram(
            f"serve_app_{name}",
            what,
            ["replica", *labels],
            buckets=_LATENCY_S,
            registry=self.registry,
        )

    def take(self, ends: list[RequestEnd], settled: list[Settlement]) -> None:
        for end in ends:
            self._requests.labels(self._replica, end.route, str(end.status)).inc()
            self._seconds.labels(self._replica, end.route).observe(end.duration_s)
            if end.cache != "none":
                self._cache.labels(self._replica, end.cache).inc()
            if end.model:
                self._take_model(end)
            self._take_trail(end)

    def _take_model(self, end: RequestEnd) -> None:
        of_model = (self._replica, end.backend, end.model)
        self._tokens.labels(*of_model, "input").inc(end.prompt_tokens)
        self._tokens.labels(*of_model, "output").inc(end.completion_tokens)
        if end.cost_micro_usd:
            self._cost.labels(*of_model).inc(end.cost_micro_usd)
        if end.first_content_s is not None:
            self._first.labels(*of_model).observe(end.first_content_s)

    def _take_trail(self, end: RequestEnd) -> None:
        for note in end.trail.notes:
            if note.stage == "attempt":
                self._attempts.labels(
                    self._replica,
                    note.facts.get("backend", ""),
                    note.facts.get("model", ""),
                    note.decision,
                ).inc()
            elif note.stage in ("input_filter", "output_filter") and "rule" in note.facts:
                found = self._findings.labels(self._replica, note.facts["rule"])
                found.inc(note.facts.get("count", 1))
            elif note.stage == "tool":
                source = note.facts["source"]
                self._tool_calls.labels(self._replica, source, note.decision).inc()

    def render(self) -> bytes:
        """The exposition text; takes milliseconds, so call it in a thread."""
        return generate_latest(self.registry)
