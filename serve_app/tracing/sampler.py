"""Which requests are traced: decided when they begin, and again when they are over."""

from __future__ import annotations

from serve_app.config.tracing_policy import TracingPolicy
from serve_app.core.trace import Trace, new_id, new_ids
from serve_app.core.trail import Trail
from serve_app.observe.observer import RequestEnd

_HALF = 1 << 64
"""Trace ids are drawn evenly, so the lower half of one is as good as a throw of dice, and every
process throws the same (OpenTelemetry's `TraceIdRatioBased`)."""


class Sampler:
    """Gives requests their place in a trace, and says whose spans are wanted."""

    def __init__(self, policy: TracingPolicy) -> None:
        self.reconfigure(policy)

    def reconfigure(self, policy: TracingPolicy) -> None:
        """Use another policy from now on."""
        self._policy = policy
        self._below = round(policy.sample * _HALF)

    def begin(self, trail: Trail) -> None:
        """Give a request its place: in its caller's trace, or in a new one."""
        if (caller := trail.trace) is None:
            trace_id, span_id = new_ids()
            trail.span = Trace(trace_id, span_id, self._drawn(trace_id))
            return
        trace_id, _, sampled, state = caller
        if not self._policy.follow_callers:
            sampled = self._drawn(trace_id)
        trail.span = Trace(trace_id, new_id(64), sampled, state)

    def _drawn(self, trace_id: str) -> bool:
        return int(trace_id[16:], 16) < self._below

    def wants(self, end: RequestEnd) -> bool:
        """Whether the spans of a request that is over are sent: it was sampled, or it turned out
        worth it."""
        span = end.trail.span
        if span is not None and span.is_sampled:
            return True
        return end.duration_s >= self._policy.slow_s or end.is_failure
