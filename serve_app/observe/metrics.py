"""The metrics of the service: what this process saw goes in, what all saw comes out.

A process counts into dictionaries (`tally.py`), takes the differences to Redis twice a second
(`sharing.py`), and any process shows the totals of all (`exposition.py`).
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable, Iterable, Mapping
from itertools import count
from typing import Final

from serve_app.config.metrics_policy import MetricsPolicy
from serve_app.core.clock import Clock
from serve_app.core.settlement import Settlement
from serve_app.observe import catalog, exposition, snapshot
from serve_app.observe.catalog import METRICS
from serve_app.observe.fields import Fields
from serve_app.observe.lag import LoopLag
from serve_app.observe.observer import RequestEnd
from serve_app.observe.sharing import Gauges, Shared, Sharing
from serve_app.observe.snapshot import Snapshot
from serve_app.observe.tally import Tally
from serve_app.observe.unfolding import Unfolding
from serve_app.store.client import Store

logger = logging.getLogger(__name__)

_EVERY_S: Final = 0.5
_READ_EVERY: Final = 10
"""So seldom a process reads the totals of all unasked, to know them when Redis goes away."""
_AFTER_BUG_S: Final = 10.0
_CLOSE_LIMIT_S: Final = 3.0
_AWAY_LIMIT_S: Final = 0.5
"""So long it waits for a Redis that is away already; the ledger has waited before."""

Shown = tuple[str, Mapping[str, str], float]
"""A metric's name, its labels, its value."""
Source = Callable[[], Iterable[Shown]]
"""Says how things are now; called twice a second, so it only looks."""


class Metrics:
    """Everything that is counted and shown; a sink of the observer.

    Args:
        deployment: what this process is one of; they are counted.
        providers: by backend, what OpenTelemetry calls its provider.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        policy: MetricsPolicy,
        *,
        deployment: str,
        providers: Mapping[str, str],
    ) -> None:
        self._clock = clock
        self._tally = Tally()
        self._unfolding = Unfolding(providers)
        self._fields = Fields()
        self._sharing = Sharing(store)
        self._deployment = deployment
        self._lag = LoopLag()
        self._gauges: list[Source] = [self._own]
        self._counters: list[Source] = []
        self._before: dict[str, int] = {}
        self._complete = self._field(catalog.COMPLETE.name, {})
        self._redis = self._field(catalog.REDIS_UP.name, {})
        self._is_alone = False
        """No other process of the deployment was there when Redis was last read."""
        self._broken: set[Source] = set()
        self._task: asyncio.Task[None] | None = None
        self.reconfigure(policy)

    def reconfigure(self, policy: MetricsPolicy) -> None:
        """Use another policy from now on."""
        self._is_on = policy.enabled
        self._tally.by_tenant = policy.tenants
        if self._fields.max_tenants != policy.max_tenants:
            self._fields.max_tenants = policy.max_tenants
            self._fields.forget()

    def take(self, ends: list[RequestEnd], settled: list[Settlement]) -> None:
        if self._is_on:
            self._tally.ended(ends)
            self._tally.settled(settled)

    def count(self, name: str, n: int = 1, **labels: str) -> None:
        """Count something that is no request. 0 makes the series be there.

        Args:
            name: of a counter of the catalogue.

        Raises:
            KeyError: there is no such metric, or label.
        """
        self._sharing.add(self._field(name, labels), n)

    def watch(self, source: Source) -> None:
        """Show gauges, as `source` tells them."""
        self._gauges.append(source)

    def follow(self, source: Source) -> None:
        """Count by counters elsewhere in this process: `source` tells how far they are."""
        self._counters.append(source)

    def start(self) -> None:
        """Begin to share in the background; call it in the running loop."""
        self._lag.start()
        if self._task is None:
            loop, own = asyncio.get_running_loop(), contextvars.Context()
            self._task = loop.create_task(self._run(), name="metrics", context=own)

    async def snapshot(self) -> Snapshot:
        """The figures of the whole service, those of this process as they are now. While Redis is
        away: what is known here."""
        shared = await self._read()
        return await asyncio.to_thread(self._figures, shared)

    async def exposed(self, accept: str) -> tuple[bytes, str]:
        """The figures as text, and its content type, as an `Accept` header wants them.

        While Redis is away and there are other processes of this kind, the counters are left out:
        each process would tell older ones than the last, and a total that goes down looks to
        Prometheus like a new beginning.
        """
        shared = await self._read()
        if not (shared.is_complete or self._is_alone):
            shared = Shared({}, {}, shared.gauges, is_complete=False)
        return await asyncio.to_thread(self._rendered, shared, accept)

    async def close(self) -> None:
        """Take the last counts to Redis; bounded."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        await self._lag.close()
        self._gather()
        limit_s = _CLOSE_LIMIT_S if self._sharing.is_up else _AWAY_LIMIT_S
        if not await self._sharing.close(limit_s):
            logger.error("the last counts for the metrics are lost: Redis was away until the end")

    async def _read(self) -> Shared:
        self._gather()
        shared = await self._sharing.read()
        if shared.is_complete:
            here = self._field(catalog.REPLICAS.name, self._up())
            self._is_alone = sum(gauges.get(here, 0) for gauges in shared.gauges) <= 1
            self._fields.learn(shared.totals)
        return shared

    def _figures(self, shared: Shared) -> Snapshot:
        known = float(shared.is_complete)
        gauges = [*shared.gauges, {self._complete: known, self._redis: known}]
        return snapshot.of(self._clock.wall(), shared.totals, gauges)

    def _rendered(self, shared: Shared, accept: str) -> tuple[bytes, str]:
        return exposition.render(self._figures(shared), shared.examples, accept)

    async def _run(self) -> None:
        for turn in count():
            try:
                await (self._push() if turn % _READ_EVERY else self._read())
            except Exception:  # the loop must live on, and the mistake be seen
                logger.exception("metrics could not be shared")
                await asyncio.sleep(_AFTER_BUG_S)
            await asyncio.sleep(_EVERY_S)

    async def _push(self) -> None:
        self._gather()
        await self._sharing.push()

    def _gather(self) -> None:
        """Hand what was counted, and how things are, to those who share it."""
        page = self._tally.turned()
        fields, sharing = self._fields, self._sharing
        for metric, values, part, n in self._unfolding.parts(page):
            sharing.add(fields.name(metric, values, part), n)
        for metric, values, part, example in self._unfolding.examples(page):
            sharing.show(fields.name(metric, values, part), exposition.packed(example))
        for source in self._counters:
            self._count_on(source)
        sharing.tell(self._looked())

    def _count_on(self, source: Source) -> None:
        for name, labels, total in self._asked(source):
            field, now = self._field(name, labels), int(total)
            self._sharing.add(field, now - self._before.get(field, 0))
            self._before[field] = now

    def _looked(self) -> Gauges:
        return {
            self._field(name, labels): float(value)
            for source in self._gauges
            for name, labels, value in self._asked(source)
        }

    def _own(self) -> Iterable[Shown]:
        yield catalog.LOOP_LAG.name, {}, self._lag.worst_s
        yield catalog.REDIS_UP.name, {}, float(self._sharing.is_up)
        yield catalog.REPLICAS.name, self._up(), 1.0

    def _up(self) -> dict[str, str]:
        return {"deployment": self._deployment, "state": "up"}

    def _asked(self, source: Source) -> Iterable[Shown]:
        """What a source says; one that fails is left out, and complained about once."""
        try:
            return list(source())
        except Exception:
            if source not in self._broken:
                self._broken.add(source)
                logger.exception("figures for the metrics could not be had")
            return []

    def _field(self, name: str, labels: Mapping[str, str]) -> str:
        wanted = METRICS[name].labels
        if len(labels) != len(wanted):
            raise KeyError(f"{name} has the labels {wanted}, not {tuple(labels)}")
        return self._fields.name(name, [labels[label] for label in wanted])
