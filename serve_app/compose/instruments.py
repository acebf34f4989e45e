"""What a process shows of itself and its rooms: the gauges, and counters that rooms keep."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final

from serve_app.backends.base import Backend
from serve_app.backends.local_vllm import LocalVLLM
from serve_app.cache.base import Cache
from serve_app.cache.stage import CacheStage
from serve_app.core.errors import Overloaded
from serve_app.core.kept import CacheState
from serve_app.core.vital import Reading
from serve_app.ingress.desk import Desk
from serve_app.observe.metrics import Metrics, Shown
from serve_app.store.duty import Duty
from serve_app.store.errors import StoreUnavailable
from serve_app.tasks.base import TaskQueue

logger = logging.getLogger(__name__)

_EVERY_S: Final = 5.0
_LIMIT_S: Final = 2.0
"""So long anybody may take to say how it is."""

Load = tuple[str, float | None, int]
"""A local backend, the share of its KV cache in use (None: unknown), requests that wait there."""
Count = tuple[str, str, int]
"""A deployment, `up` or `wanted`, how many replicas of it are."""
Staffing = Callable[[], Iterable[Count]]
"""Tells the cluster's deployments; called in a thread, as it may take a while."""


class Instruments:
    """Looks at the rooms for the metrics: at most of them whenever figures are shared, at what
    takes a question to somebody else each five seconds.

    What is the same for all processes, the one that has the duty tells.

    Args:
        lost: how much of what was given up so far.
        readings: how the backends' models do.
    """

    def __init__(
        self,
        *,
        metrics: Metrics,
        duty: Duty,
        backends: Mapping[str, Backend],
        readings: Callable[[], list[tuple[str, str, Reading]]],
        cache: Cache,
        queue: TaskQueue,
        lost: Callable[[], dict[str, int]],
    ) -> None:
        self._duty = duty
        self._backends = backends
        self._readings = readings
        self._cache = cache
        self._queue = queue
        self._lost = lost
        self._slow: dict[str, list[Shown]] = {}
        """By who was asked, what it said last."""
        self._refused: set[str] = set()
        """Backends whose provider refuses our keys."""
        self._task: asyncio.Task[None] | None = None
        self.staffing: Staffing | None = None
        """None: nobody knows of a cluster."""
        self.engines: Callable[[], Awaitable[list[Load]]] | None = None
        """How full the engines of local models are; None: nobody can say."""
        self._metrics = metrics
        for gauges in (self._models, self._turns, self._asked):
            metrics.watch(gauges)
        for counters in (self._given_up, self._turned_away):
            metrics.follow(counters)

    def show_desk(self, desk: Desk) -> None:
        """Show how many requests are inside, and whether the house closes."""
        self._metrics.watch(
            lambda: [
                ("serve_app_running_requests", {}, float(desk.running)),
                ("serve_app_draining_seconds", {}, desk.draining_s),
            ]
        )

    def show_staff(self, busy: Callable[[], int]) -> None:
        """Show how many background tasks this process does."""
        self._metrics.watch(lambda: [("serve_app_tasks_here", {}, float(busy()))])

    def start(self) -> None:
        """Begin to ask in the background; call it in the running loop."""
        if self._task is None:
            loop, own = asyncio.get_running_loop(), contextvars.Context()
            self._task = loop.create_task(self._run(), name="instruments", context=own)

    async def close(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def look(self) -> None:
        """Ask those who are asked seldom, now; bounded."""
        mine = self._duty.is_mine
        asked: dict[str, Callable[[], Awaitable[list[Shown]]]] = {}
        if mine or isinstance(self._cache, CacheStage):  # another one's is asked once for all
            asked["cache"] = self._of_cache
        asked["keys"] = self._of_keys
        if mine:
            asked["tasks"] = self._of_tasks
            asked["replicas"] = self._of_cluster
            asked["engines"] = self._of_engines
        self._slow = {who: await self._said(who, ask) for who, ask in asked.items()}

    async def _said(self, who: str, ask: Callable[[], Awaitable[list[Shown]]]) -> list[Shown]:
        try:
            async with asyncio.timeout(_LIMIT_S):
                return await ask()
        except (TimeoutError, Overloaded, StoreUnavailable) as error:
            logger.debug("no figures of the %s: %s", who, error)
        except Exception:
            logger.exception("no figures of the %s", who)
        return []

    async def _run(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(_EVERY_S)

    # --------------------------------------------------------------- at every look

    def _asked(self) -> Iterable[Shown]:
        return [shown for said in self._slow.values() for shown in said]

    def _models(self) -> Iterable[Shown]:
        for backend, model, reading in self._readings():
            of = {"backend": backend, "model": model}
            refused = backend in self._refused
            # One that may be tried again, and nobody did, is not known to be down.
            is_resting = reading.open_for_s > 0
            states = {"open": is_resting, "away": bool(reading.away), "key_refused": refused}
            for state, is_so in states.items():
                yield "serve_app_backend_state", {**of, "state": state}, float(is_so)
            yield "serve_app_backend_calls", of, float(reading.running)

    def _turns(self) -> Iterable[Shown]:
        for name, backend in self._local():
            queue, of = backend.queue(), {"backend": name}
            yield "serve_app_turns_running", of, float(queue.running)
            for priority, waiting in queue.waiting.items():
                yield "serve_app_turns_waiting", {**of, "priority": priority}, float(waiting)

    def _turned_away(self) -> Iterable[Shown]:
        for name, backend in self._local():
            for (priority, reason), n in backend.queue().refused.items():
                of = {"backend": name, "priority": priority, "reason": reason}
                yield "serve_app_turns_refused_total", of, float(n)

    def _given_up(self) -> Iterable[Shown]:
        for what, n in self._lost().items():
            yield "serve_app_lost_total", {"what": what}, float(n)

    def _local(self) -> Iterable[tuple[str, LocalVLLM]]:
        for name, backend in self._backends.items():
            if isinstance(backend, LocalVLLM):
                yield name, backend

    # ------------------------------------------------------------------ now and then

    async def _of_cache(self) -> list[Shown]:
        [state] = await self._cache.state([True])
        return _cache_figures(state)

    async def _of_tasks(self) -> list[Shown]:
        backlog = await self._queue.backlog()
        shown: list[Shown] = [("serve_app_tasks_oldest_seconds", {}, backlog.oldest_s)]
        for priority, count in backlog.by_priority.items():
            for state in count.__struct_fields__:
                of = {"priority": priority, "state": state}
                shown.append(("serve_app_tasks", of, float(getattr(count, state))))
        return shown

    async def _of_cluster(self) -> list[Shown]:
        if self.staffing is None:
            return []
        known = await asyncio.to_thread(self.staffing)
        return [
            ("serve_app_replicas", {"deployment": deployment, "state": state}, float(n))
            for deployment, state, n in known
        ]

    async def _of_keys(self) -> list[Shown]:
        self._refused = {
            name
            for name, backend in self._backends.items()
            if not isinstance(backend, LocalVLLM) and (await backend.health()).key_refused
        }
        return []

    async def _of_engines(self) -> list[Shown]:
        shown: list[Shown] = []
        for name, kv_used, waiting in [] if self.engines is None else await self.engines():
            of = {"backend": name}
            shown.append(("serve_app_local_queue", of, float(waiting)))
            if kv_used is not None:
                shown.append(("serve_app_local_kv_used_ratio", of, kv_used))
        return shown


def _cache_figures(state: CacheState) -> list[Shown]:
    shares = {
        "estimate": state.wrong_share, "low": state.wrong_low, "high": state.wrong_high,
    }  # fmt: skip
    return [
        ("serve_app_cache_entries", {"what": "l1"}, float(state.l1_entries)),
        ("serve_app_cache_entries", {"what": "questions"}, float(state.questions)),
        ("serve_app_cache_bytes", {}, float(state.l1_bytes)),
        ("serve_app_cache_verified", {}, float(state.verified)),
        *(("serve_app_cache_wrong_share", {"bound": b}, share) for b, share in shares.items()),
    ]
