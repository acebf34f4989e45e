"""An engine with a history and a clock that a test moves."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from series import Moment, labels_of

from serve_app.alerts.engine import Engine
from serve_app.alerts.rules import compiled
from serve_app.alerts.state import Alert, State
from serve_app.config.alerts_policy import AlertRule, AlertsPolicy
from serve_app.core.clock import FakeClock
from serve_app.store.client import Store


class Figures:
    """A history: what a test says is what was, at each of its steps."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._moments: list[Moment] = []

    def show(self, **values: float) -> None:
        """What the series say now; others are not there. Of `up__a` the label `x` is `a`."""
        series: dict[str, dict[Any, float]] = {}
        for written, value in values.items():
            name, _, label = written.partition("__")
            labels = (("x", label),) if label else ()
            series.setdefault(name, {})[labels] = value
        self._moments.append(Moment(self._clock.wall(), series))

    def show_series(self, values: Mapping[str, float]) -> None:
        series: dict[str, dict[Any, float]] = {}
        for written, value in values.items():
            name, labels = labels_of(written)
            series.setdefault(name, {})[labels] = value
        self._moments.append(Moment(self._clock.wall(), series))

    async def read(self, since_s: float) -> Sequence[Moment]:
        return [one for one in self._moments if one.at >= self._clock.wall() - since_s]


class Duties:
    """Who has the duty, as a test says."""

    def __init__(self, *, is_mine: bool = True) -> None:
        self.is_mine = is_mine


class Counts:
    """Messages by channel and what became of them."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []

    def alert_sent(self, channel: str, outcome: str) -> None:
        self.sent.append((channel, outcome))


def rule(name: str = "High", expr: str = "level > $threshold", **more: Any) -> AlertRule:
    said = {"name": name, "expr": expr, "threshold": 5, "summary": {"en": "{value} at {x}"}, **more}
    return AlertRule.model_validate(said)


def alerts_policy(**more: Any) -> AlertsPolicy:
    """One rule, no waiting."""
    said = {
        "shipped": False, "rules": [rule()], "group_wait_s": 0, "group_interval_s": 0,
        "interval_s": 0.2, "retry_s": 0.01, **more,
    }  # fmt: skip
    return AlertsPolicy.model_validate(said)


def channel(name: str, kind: str, **more: Any) -> dict[str, Any]:
    """With its address in NAME_URL."""
    return {"name": name, "kind": kind, "url_env": f"{name.upper()}_URL", **more}


class World:
    """Engines of several processes, one history, one clock."""

    def __init__(self, store: Store, environ: Mapping[str, str] | None = None) -> None:
        self.clock = FakeClock(time.time())
        self.figures = Figures(self.clock)
        self.store = store
        self.environ = environ or {}
        self.counts = Counts()

    def engine(
        self, policy: AlertsPolicy, replica: str = "r1", *, store: Store | None = None
    ) -> tuple[Engine, Duties]:
        turn = Duties()
        engine = Engine(
            policy,
            [],
            {},
            snapshots=self.figures,
            store=store or self.store,
            turn=turn,
            replica=replica,
            clock=self.clock,
            environ=self.environ,
            tally=self.counts,
        )
        return engine, turn

    async def step(self, *engines: Engine, s: float = 5.0, **values: float) -> None:
        """A few seconds later these are the figures, and all look at them."""
        self.clock.advance(s)
        self.figures.show(**values)
        for engine in engines:
            await engine.step()

    async def deliver(self, *engines: Engine) -> None:
        """Send all that is due."""
        for engine in engines:
            for courier in engine.post.couriers.values():
                while await courier.step() == 0.0:
                    continue


def of(state: State | None, rule_name: str = "High") -> list[Alert]:
    assert state is not None
    return [alert for alert in state.alerts.values() if alert.rule == rule_name]


RULE = compiled(rule())
