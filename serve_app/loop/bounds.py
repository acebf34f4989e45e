"""How far one request may go: answers of the model, calls, time, money."""

from __future__ import annotations

from serve_app.config.tools_policy import ToolLimits
from serve_app.core.clock import Clock

_MICRO = 1_000_000


class Bounds:
    """Counts along one request.

    Args:
        deadline: of the request, monotonic seconds.
        max_calls: what the caller allows, besides the policy; None: nothing was said.
    """

    def __init__(
        self, limits: ToolLimits, clock: Clock, deadline: float, max_calls: int | None
    ) -> None:
        self.limits = limits
        self._clock = clock
        self._ends_at = min(clock.monotonic() + limits.max_s, deadline)
        own = limits.max_calls
        self._calls_left = own if max_calls is None else min(own, max_calls)
        self.step = 0
        """Number of the model's answer that is being made, from 1."""

    def next_step(self, cost_micro_usd: int) -> str:
        """Begin another answer. The limit because of which it must be the last, so that it is
        asked for without further calls: `steps`, `calls`, `time` or `cost`; empty: none."""
        self.step += 1
        if self.step >= self.limits.max_steps:
            return "steps"
        if self._calls_left <= 0:
            return "calls"
        if self.call_s() <= 0:
            return "time"
        most = self.limits.max_cost_usd
        return "cost" if most is not None and cost_micro_usd >= most * _MICRO else ""

    def take_call(self) -> bool:
        """Whether one more call may be made."""
        self._calls_left -= 1
        return self._calls_left >= 0

    def call_s(self) -> float:
        """How long a call that begins now may take."""
        return min(self.limits.per_call_s, self._ends_at - self._clock.monotonic())
