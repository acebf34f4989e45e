"""The corridor with all its rooms: what answers requests, in ingress replicas and in workers."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

from serve_app.accounting.ledger import Ledger
from serve_app.admission.directory import KeyDirectory
from serve_app.admission.porter import Admission
from serve_app.backends.base import Backend
from serve_app.backends.execute import Executor
from serve_app.backends.local_vllm import LocalVLLM, Transport
from serve_app.cache.stage import CacheStage
from serve_app.compose.alerts import budgets
from serve_app.compose.batches import Batches
from serve_app.compose.instruments import Instruments
from serve_app.compose.maker import Maker, Stages
from serve_app.compose.memory import Memory
from serve_app.compose.observatory import Observatory
from serve_app.config.backend_settings import LocalBackend
from serve_app.config.paths import ADMIN_KEY
from serve_app.config.policy import Policy
from serve_app.filters.chain import FilterStage
from serve_app.loop.tool_loop import ToolLoop
from serve_app.pipeline import Pipeline
from serve_app.routing.catalog import ModelName
from serve_app.routing.directory import Directory
from serve_app.routing.estimate import estimate_tokens
from serve_app.routing.quotes import Quotes
from serve_app.routing.router import RouterStage
from serve_app.steps.rooms import Rooms
from serve_app.tasks.queue import RedisQueue
from serve_app.tools.toolroom import Toolroom
from serve_app.vitals.watch import Watch
from serve_app.wire.shapes import RESPONSES, Shapes
from serve_app.work.performer import Performer
from serve_app.work.response_job import ResponseErrand
from serve_app.work.responses import Responding
from serve_app.work.webhooks import Webhooks

CLOSE_LIMIT_S = 5.0


class Corridor:
    """The pipeline, its stages, and what works beside them.

    Build it inside the running loop, then `start()`; `apply()` takes policies while it runs.

    Args:
        stages: those that are elsewhere.
        transports: by local backend's name, how to reach its model.
        replica: an id for metrics.
        deployment: what the process is one of, for metrics.

    Raises:
        PolicyRejected: the policy cannot be used with this structure.
    """

    def __init__(
        self,
        maker: Maker,
        policy: Policy,
        stages: Stages,
        transports: Mapping[str, Transport],
        replica: str,
        deployment: str = "Gateway",
    ) -> None:
        args, clock = maker.args, maker.clock
        self.maker = maker
        self.policy = policy
        self._directory = Directory(maker.catalog, policy.routing)
        self._filter = stages.filter or maker.filter(policy)
        self.cache = stages.cache or maker.cache(policy)
        self._router = stages.router or maker.router(policy)
        self.backends = _backends(maker, stages, transports)
        self._sharing = maker.sharing(replica)
        self._watch = _watch(maker, self.backends)
        self._flights = maker.flights(replica)
        self.observatory = Observatory(maker, policy, replica, deployment)
        self.observer = self.observatory.observer
        self.ledger = Ledger(maker.store, clock, together=args.ledger.slot == "one")
        self.keys = KeyDirectory(maker.store, replica, clock)
        self.admission = Admission(
            policy.admission,
            args.ledger,
            maker.store,
            self.keys,
            clock,
            lambda lease: self.ledger.end(lease, lease.tenant),
            admin_key=maker.environ.get(ADMIN_KEY, ""),
        )
        self.observatory.metrics.watch(budgets(self.admission.marks.marks))
        self.memory = Memory(maker, policy)
        self.conversation = self.memory.conversation
        rooms = Rooms(
            admission=self.admission,
            filter=self._filter,
            conversation=self.conversation,
            cache=self.cache,
            router=self._router,
            executor=Executor(
                self.backends,
                maker.vitals,
                clock,
                random.Random(),  # noqa: S311
                estimate_tokens,
            ),
            flights=self._flights,
            ledger=self.ledger,
            clock=clock,
            tell=self.observer.settled,
        )
        self.pipeline = Pipeline(
            rooms,
            policy,
            maker.take_prices(policy),
            self._quotes(policy),
            max_entry_bytes=args.cache.max_entry_bytes,
            confirm_s=args.ledger.confirm_ms / 1000,
        )
        self.tools = Toolroom(policy.tools, maker.environ, clock)
        self.loop = ToolLoop(self.pipeline, self.tools, clock)
        self.on_submitted: Callable[[], None] = lambda: None
        """Told of tasks that this process has taken in."""
        self.queue = RedisQueue(
            maker.store,
            args.tasks,
            policy.tasks,
            random.Random(),  # noqa: S311
            self._submitted,
        )
        self.webhooks = Webhooks(self.queue, policy.tasks.webhooks, maker.environ, clock)
        self.shapes = Shapes(clock.wall)
        self.performer = Performer(self.loop.answer, self.ledger, self.observer, self.shapes, clock)
        self.responding = Responding(self.memory.responses, self.memory.conversations, clock)
        self.performer.errands[RESPONSES] = ResponseErrand(self.performer, self.responding, clock)
        self.batches = Batches(maker, policy, self.queue)
        self.instruments = Instruments(
            metrics=self.observatory.metrics,
            duty=self.observatory.duty,
            backends=self.backends,
            readings=maker.vitals.readings,
            cache=self.cache,
            queue=self.queue,
            lost=self.lost,
        )

    def _submitted(self) -> None:
        self.on_submitted()

    def names(self) -> list[ModelName]:
        """Names a request's `model` may have under the policy of the moment."""
        return self._directory.names()

    def lost(self) -> dict[str, int]:
        """How much of what was given up, because a buffer was full."""
        return {
            "cache_fills": self.pipeline.caching.fills.dropped,
            "request_ends": self.observer.dropped,
            "settlements": self.ledger.dropped,
            **self.observatory.lost(),
        }

    def start(self) -> None:
        """Start what works beside the requests."""
        self.observatory.start()
        self.instruments.start()
        self.ledger.start()
        self.keys.start()
        self.admission.start()
        self._sharing.start()
        self._watch.start()
        self._flights.start()
        self.pipeline.caching.fills.start()
        if isinstance(self.cache, CacheStage):
            self.cache.start()
        self.conversation.start()
        self.tools.start()

    def apply(self, policy: Policy) -> None:
        """Use another policy from the next request on.

        Raises:
            PolicyRejected: nothing was changed.
        """
        before = self.policy
        try:
            self._take(policy)
        except Exception:
            self._take(before)
            raise
        self.policy = policy

    def _take(self, policy: Policy) -> None:
        self._directory = Directory(self.maker.catalog, policy.routing)
        prices = self.maker.take_prices(policy)
        if isinstance(self._filter, FilterStage):
            self._filter.reconfigure(policy.filter)
        if isinstance(self.cache, CacheStage):
            self.cache.reconfigure(policy.cache)
        if isinstance(self._router, RouterStage):
            judge = self.maker.judge(policy.routing)
            self._router.reconfigure(policy.routing)
            self._router.judge = judge
        self.admission.reconfigure(policy.admission)
        self.tools.reconfigure(policy.tools)
        self.queue.reconfigure(policy.tasks)
        self.webhooks.reconfigure(policy.tasks.webhooks)
        self.batches.reconfigure(policy)
        self.memory.reconfigure(policy)
        self.observatory.reconfigure(policy)
        self.pipeline.reconfigure(policy, prices, self._quotes(policy))

    def _quotes(self, policy: Policy) -> Quotes:
        return Quotes(self._directory, policy.routing, self.maker.prices.price)

    async def close(self) -> None:
        """Finish what requests left behind, then let go of everything; bounded."""
        await self.batches.close()
        await self.pipeline.refreshes.close()
        await self.pipeline.summaries.close()
        await self.tools.close()
        await self._flights.close(CLOSE_LIMIT_S)
        await self.pipeline.caching.fills.close(CLOSE_LIMIT_S)
        if isinstance(self.cache, CacheStage):
            await self.cache.close()
        await self.admission.close()
        await self.ledger.close()
        await self.keys.close()
        await self.instruments.close()
        await self.observatory.close()
        await self._watch.close()
        await self._sharing.close()
        for backend in self.backends.values():
            await backend.close()
        await self.maker.close()


def _backends(
    maker: Maker, stages: Stages, transports: Mapping[str, Transport]
) -> dict[str, Backend]:
    """The backends that are on, hosted ones here or elsewhere, in the order of the settings."""
    elsewhere = stages.backends or {}
    backends: dict[str, Backend] = {}
    for settings in maker.args.backends:
        if not maker.catalog.is_on(settings.name):
            continue
        if isinstance(settings, LocalBackend):
            backends[settings.name] = LocalVLLM(settings, transports[settings.name])
        else:
            backends[settings.name] = elsewhere.get(settings.name) or maker.hosted(settings)
    return backends


def _watch(maker: Maker, backends: Mapping[str, Backend]) -> Watch:
    """Local models come and go without a call that would tell."""
    local = [b for b in maker.args.backends if isinstance(b, LocalBackend) and b.name in backends]
    return Watch(
        {backend.name: backends[backend.name].health for backend in local},
        maker.vitals,
        {backend.name: [model.id for model in backend.models] for backend in local},
    )
