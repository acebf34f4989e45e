"""The alerts of a process: rules over the history, messages counted in the metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from serve_app.admission.marks import Mark
from serve_app.alerts.engine import Engine
from serve_app.alerts.rules import read
from serve_app.compose.maker import Maker
from serve_app.config.policy import Policy
from serve_app.config.shipped import shipped
from serve_app.observe import catalog
from serve_app.observe.history import History
from serve_app.observe.metrics import Metrics, Shown
from serve_app.store.duty import Duty

_DRAIN_MARGIN_S: Final = 30.0


class AlertCounts:
    """Counts messages about alerts among the metrics."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def alert_sent(self, channel: str, outcome: str) -> None:
        self._metrics.count(catalog.ALERTS_SENT.name, channel=channel, outcome=outcome)


def alerts(
    maker: Maker, policy: Policy, replica: str, duty: Duty, history: History, metrics: Metrics
) -> Engine:
    """
    Raises:
        PolicyRejected: a rule cannot be used; the message names it.
    """
    engine = Engine(
        policy.alerts,
        read(shipped("alerts.yaml")),
        thresholds(maker, policy),
        snapshots=history,
        store=maker.store,
        turn=duty,
        replica=replica,
        clock=maker.clock,
        environ=maker.environ,
        tally=AlertCounts(metrics),
    )
    for channel in policy.alerts.channels:
        # What begins above nothing has no increase for Prometheus: the first loss would be missed.
        metrics.count(catalog.ALERTS_SENT.name, 0, channel=channel.name, outcome="lost")
    metrics.watch(
        lambda: [
            (catalog.ALERTS_FIRING.name, {"alert": alert, "severity": severity}, 1.0)
            for alert, severity in engine.firing()
        ]
    )
    return engine


def thresholds(maker: Maker, policy: Policy) -> Mapping[str, float]:
    """Of shipped rules, as other parts of the configuration have them."""
    return {
        "CacheBoundBroken": policy.cache.semantic.max_wrong,
        "DrainOverdue": maker.args.server.drain_s + _DRAIN_MARGIN_S,
    }


def budgets(marks: Callable[[], list[Mark]]) -> Callable[[], Iterable[Shown]]:
    """The gauges of budgets that are nearly spent."""
    return lambda: [
        (catalog.BUDGET_USED.name, {"scope": scope, "name": name, "period": period}, ratio)
        for scope, name, period, ratio in marks()
    ]
