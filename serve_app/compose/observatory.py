"""All that watches the requests: metrics, the log, and what is made from them."""

from __future__ import annotations

from typing import Any

from serve_app import __version__
from serve_app.compose.alerts import alerts, thresholds
from serve_app.compose.logs import adjust_log
from serve_app.compose.maker import Maker
from serve_app.config.otlp import traces_endpoint
from serve_app.config.paths import data_dir
from serve_app.config.policy import Policy
from serve_app.config.semconv import provider_names
from serve_app.observe.history import History
from serve_app.observe.log import RequestLog
from serve_app.observe.metrics import Metrics
from serve_app.observe.observer import Observer, Sink
from serve_app.records.records import Records
from serve_app.store.duty import Duty
from serve_app.tracing.tracing import Tracing
from serve_app.trails.keeper import Keeper


class Observatory:
    """What a process knows of its requests, told to whoever wants to know.

    Args:
        replica: names this process among all of them.
        deployment: what this process is one of; the metrics count them.
    """

    def __init__(self, maker: Maker, policy: Policy, replica: str, deployment: str) -> None:
        self.duty = Duty(maker.store, "watch", replica)
        """Of the one replica that watches for all."""
        self.metrics = Metrics(
            maker.store,
            maker.clock,
            policy.metrics,
            deployment=deployment,
            providers=provider_names(maker.args.backends),
        )
        self.history = History(maker.store, self.duty, self.metrics.snapshot, maker.clock)
        self.log = RequestLog(policy.logs)
        self.trails = Keeper(policy.trails, maker.store, maker.clock)
        self.tracing = _tracing(maker, policy, replica, deployment)
        """None: spans go nowhere, so that none are made."""
        self.alerts = alerts(maker, policy, replica, self.duty, self.history, self.metrics)
        self._maker = maker
        self.records = Records(
            maker.args.records,
            policy.records,
            data_dir(maker.environ) / "records",
            maker.environ,
            maker.clock,
            lambda: self.duty.is_mine,
        )
        self.metrics.watch(self.records.gauges)
        self.metrics.follow(self.records.counters)
        sinks: list[Sink] = [self.metrics, self.log, self.trails, self.records]
        self.observer = Observer(sinks)
        if self.tracing is not None:
            sinks.append(self.tracing)
            self.observer.on_begin = self.tracing.begin

    def start(self) -> None:
        """Begin to work in the background; call it in the running loop."""
        self.duty.start()
        self.observer.start()
        self.metrics.start()
        self.history.start()
        self.trails.start()
        self.records.start()
        self.alerts.start()
        if self.tracing is not None:
            self.tracing.start()

    def reconfigure(self, policy: Policy) -> None:
        """Use another policy from now on.

        Raises:
            PolicyRejected: nothing was changed.
        """
        self.alerts.reconfigure(policy.alerts, thresholds(self._maker, policy))
        self.metrics.reconfigure(policy.metrics)
        self.log.reconfigure(policy.logs)
        self.trails.reconfigure(policy.trails)
        self.records.reconfigure(policy.records)
        adjust_log(policy.logs)
        if self.tracing is not None:
            self.tracing.reconfigure(policy.tracing)

    async def exposed(self, accept: str) -> tuple[bytes, str]:
        """The metrics as an `Accept` header wants them, with all that was told so far."""
        self.observer.flush()
        return await self.metrics.exposed(accept)

    def lost(self) -> dict[str, int]:
        """How much of what could not be told."""
        spans = 0 if self.tracing is None else self.tracing.lost
        return {"trails": self.trails.lost, "traced_requests": spans}

    async def trail(self, tenant: str | None, request_id: str) -> dict[str, Any] | None:
        """The trail of a request, of those too that were over just now in this process.

        Args:
            tenant: whose; None: anybody's.

        Raises:
            StoreUnavailable: it cannot be looked for.
        """
        self.observer.flush()
        await self.trails.flush()
        return await self.trails.find(tenant, request_id)

    async def close(self) -> None:
        """Take what has gathered to where it belongs; bounded."""
        await self.observer.close()
        await self.records.close()
        await self.trails.close()
        if self.tracing is not None:
            await self.tracing.close()
        await self.alerts.close()
        await self.history.close()
        await self.metrics.close()
        await self.duty.close()


def _tracing(maker: Maker, policy: Policy, replica: str, deployment: str) -> Tracing | None:
    settings = maker.args.tracing
    endpoint = traces_endpoint(settings, maker.environ)
    if not endpoint:
        return None
    resource = {
        "service.name": settings.service,
        "service.version": __version__,
        "service.instance.id": replica,
        "serve_app.deployment": deployment,
    }
    providers = provider_names(maker.args.backends)
    return Tracing(policy.tracing, endpoint, resource, __version__, providers)
