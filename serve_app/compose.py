"""Builds the rooms of one process from structure and policy. No Ray here.

`graph.py` decides which process gets which rooms; this file knows how each is made, so that a
fused stage and a deployed one are the same object with the same collaborators.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from msgspec import Struct

from serve_app.accounting.ledger import Ledger
from serve_app.accounting.prices import PriceList
from serve_app.admission.directory import KeyDirectory
from serve_app.admission.porter import Admission
from serve_app.admission.registrar import Registrar
from serve_app.backends.base import Backend
from serve_app.backends.dialects.choice import dialect_of
from serve_app.backends.embedder import BackendVectors
from serve_app.backends.execute import Executor
from serve_app.backends.hosted import Hosted
from serve_app.backends.keys import ProviderKeys
from serve_app.backends.local_vllm import LocalVLLM, Transport
from serve_app.cache.base import Cache
from serve_app.cache.semantic.base import Embedder
from serve_app.cache.semantic.judge import PairJudge
from serve_app.cache.semantic.level import SemanticLevel
from serve_app.cache.semantic.minilm import from_folder, minilm
from serve_app.cache.stage import CacheStage
from serve_app.config.paths import ADMIN_KEY, SESSION_KEY, data_dir, redis_url
from serve_app.config.policy import Policy, Price, RoutingPolicy
from serve_app.config.shipped import shipped
from serve_app.config.structure import GatewayArgs, HostedBackend, LocalBackend
from serve_app.core.clock import Clock, SystemClock
from serve_app.filters.base import Filter
from serve_app.filters.chain import FilterStage
from serve_app.flights.flights import Flights
from serve_app.ingress.app import GatewayApp
from serve_app.ingress.clerk import Clerk
from serve_app.ingress.desk import Desk
from serve_app.ingress.house import HouseRoutes, PolicyState
from serve_app.ingress.keys import KeyRoutes
from serve_app.ingress.pantry import PantryRoutes
from serve_app.ingress.router import Route
from serve_app.ingress.routes import WorkRoutes
from serve_app.ingress.usage import UsageRoute
from serve_app.models import embedded
from serve_app.observe.metrics import Metrics
from serve_app.observe.observer import Observer, RequestLog
from serve_app.pipeline import Pipeline, Rooms
from serve_app.routing.base import Router
from serve_app.routing.catalog import Catalog, ModelName
from serve_app.routing.directory import Directory
from serve_app.routing.estimate import estimate_tokens
from serve_app.routing.learned.fresh import FreshJudge
from serve_app.routing.quotes import Quotes
from serve_app.routing.router import RouterStage
from serve_app.sessions.conversation import Conversation
from serve_app.sessions.names import KeptNames
from serve_app.sessions.store import Conversations
from serve_app.sessions.tokens import HeuristicCounter, TokenCounter, counters
from serve_app.steps.classifying import Classifiers, FindApp
from serve_app.steps.embedding import BackendEmbedder
from serve_app.store.client import Store
from serve_app.vitals.book import Vitals
from serve_app.vitals.sharing import Sharing
from serve_app.vitals.watch import Watch

CLOSE_LIMIT_S = 5.0


class Stages(Struct):
    """The stages that can be elsewhere. None: build the fused one here."""

    filter: Filter | None = None
    cache: Cache | None = None
    router: Router | None = None
    backends: Mapping[str, Backend] | None = None


class Maker:
    """Makes rooms that share one clock, one environment and, where needed, one store.

    Args:
        find_app: how to reach the application of a classifier; None: there are none.
    """

    def __init__(
        self,
        args: GatewayArgs,
        environ: Mapping[str, str],
        find_app: FindApp | None = None,
    ) -> None:
        self.args = args
        self.environ = environ
        self.clock: Clock = SystemClock()
        self.catalog = Catalog(args.backends, environ)
        self.vitals = Vitals(self.clock, random.Random())  # noqa: S311
        self.prices = PriceList({})
        """Those of the policy of the moment."""
        self._classifiers = Classifiers(self._moderating(), find_app)
        self._store: Store | None = None

    @property
    def store(self) -> Store:
        if self._store is None:
            url = redis_url(self.args.redis.url, self.environ)
            self._store = Store(self.args.redis, self.clock, url)
        return self._store

    def filter(self, policy: Policy) -> FilterStage:
        return FilterStage(policy.filter, self.environ, self._classifiers)

    def _moderating(self) -> dict[str, Callable[[], Backend]]:
        """Backends that may have an endpoint /moderations, with pools of their own."""
        return {
            backend.name: partial(self.hosted, backend)
            for backend in self.args.backends
            if isinstance(backend, HostedBackend) and backend.kind == "openai"
        }

    def cache(self, policy: Policy) -> CacheStage:
        settings, rng = self.args.cache, random.Random()  # noqa: S311
        semantic = SemanticLevel(
            policy.cache.semantic,
            settings.semantic,
            self.store if settings.l2 else None,
            self.embedder(settings.semantic.embedder),
            PairJudge(),
            self.clock,
            rng,
        )
        return CacheStage(policy.cache, settings, self.store, self.clock, rng, semantic)

    def embedder(self, name: str) -> Embedder:
        """What makes vectors of questions; it loads nothing before it is asked.

        Raises:
            PolicyRejected: there is none of that name.
        """
        if name == "minilm":
            return minilm()
        backend, _, model = name.partition("/")
        settings = next((b for b in self.args.backends if b.name == backend), None)
        if isinstance(settings, HostedBackend):
            return BackendEmbedder(BackendVectors(backend, self.hosted(settings), model))
        return from_folder(Path(name).expanduser())

    def router(self, policy: Policy) -> RouterStage:
        self.take_prices(policy)
        return RouterStage(
            self.args.backends,
            policy.routing,
            self.environ,
            self.vitals,
            self._price,
            self.judge(policy.routing),
            clock=self.clock,
        )

    def take_prices(self, policy: Policy) -> PriceList:
        """Plan and account by this policy's prices from now on.

        Raises:
            PolicyRejected: they cannot be read.
        """
        self.prices = PriceList.load(shipped("prices.yaml"), policy.prices)
        return self.prices

    def judge(self, routing: RoutingPolicy) -> FreshJudge | None:
        """The learned router that a policy names, if it does.

        Raises:
            PolicyRejected: its model cannot be used.
        """
        learned = routing.learned
        if learned is None:
            return None
        path = data_dir(self.environ) / Path(learned.file).expanduser()
        return FreshJudge(path, learned.strong_share, self.clock)

    def _price(self, model: str) -> Price | None:
        return self.prices.price(model)

    def hosted(self, settings: HostedBackend) -> Hosted:
        keys = ProviderKeys(settings, self.environ, self.clock)
        return Hosted(settings, keys, dialect_of(settings), self.clock)

    def flights(self, replica: str) -> Flights:
        """What lets equal requests of all replicas share a call."""
        shared = self.store if self.args.cache.l2 else None
        return Flights(shared, replica, self.clock, max_bytes=self.args.cache.max_entry_bytes)

    def sharing(self, replica: str) -> Sharing:
        """What keeps this process's vitals in step with those of the others."""
        return Sharing(self.vitals, self.store, replica, self.clock)

    def counters(self) -> dict[str, TokenCounter]:
        """Token counters of the local models, by backend."""
        folders = {
            backend.name: self._tokenizer_folder(backend)
            for backend in self.args.backends
            if isinstance(backend, LocalBackend)
        }
        return counters(folders, estimate_tokens)

    def _tokenizer_folder(self, backend: LocalBackend) -> Path:
        if backend.tokenizer == "embedded":
            return embedded.location(data_dir(self.environ))
        return Path(backend.tokenizer)

    async def close(self) -> None:
        await self._classifiers.close()
        if self._store is not None:
            await self._store.close()


class House:
    """Everything of one ingress replica: the pipeline, its stages, the front door.

    Build it inside the running loop, then `start()`; `apply()` takes policies while it runs.

    Args:
        stages: those that are elsewhere.
        transports: by local backend's name, how to reach its model.
        replica: an id for metrics.
        names_requests: False where the server in front sends the `x-request-id` header.

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
        *,
        names_requests: bool,
    ) -> None:
        args, clock = maker.args, maker.clock
        self._maker = maker
        self._policy = policy
        self._directory = Directory(maker.catalog, policy.routing)
        self._filter = stages.filter or maker.filter(policy)
        self._cache = stages.cache or maker.cache(policy)
        self._router = stages.router or maker.router(policy)
        self._backends = _backends(maker, stages, transports)
        self._sharing = maker.sharing(replica)
        self._watch = _watch(maker, self._backends)
        self._flights = maker.flights(replica)
        self.ledger = Ledger(maker.store, clock, together=args.ledger.slot == "one")
        self._keys = KeyDirectory(maker.store, replica, clock)
        self._admission = Admission(
            policy.admission,
            args.ledger,
            maker.store,
            self._keys,
            clock,
            lambda lease: self.ledger.end(lease, lease.tenant),
            admin_key=maker.environ.get(ADMIN_KEY, ""),
        )
        sessions = Conversations(maker.store, args.conversation, clock)
        self._conversation = Conversation(
            sessions,
            args.conversation,
            maker.counters(),
            HeuristicCounter(estimate_tokens),
            KeptNames(maker.store, args.conversation, maker.environ.get(SESSION_KEY, "")),
        )
        rooms = Rooms(
            admission=self._admission,
            filter=self._filter,
            conversation=self._conversation,
            cache=self._cache,
            router=self._router,
            executor=Executor(
                self._backends,
                maker.vitals,
                clock,
                random.Random(),  # noqa: S311
                estimate_tokens,
            ),
            flights=self._flights,
            ledger=self.ledger,
            clock=clock,
        )
        self._pipeline = Pipeline(
            rooms,
            policy,
            maker.take_prices(policy),
            self._quotes(policy),
            max_entry_bytes=args.cache.max_entry_bytes,
            confirm_s=args.ledger.confirm_ms / 1000,
        )
        self._metrics = Metrics(replica)
        self._observer = Observer([self._metrics, RequestLog()])
        self._desk = Desk(
            limit=args.server.max_requests,
            body_timeout_s=args.server.body_timeout_s,
            write_timeout_s=args.server.write_timeout_s,
            drain_s=args.server.drain_s,
        )
        clerk = Clerk(self._pipeline, self._admission, args.server, clock)
        self._work = WorkRoutes(clerk)
        self.app = GatewayApp(
            [
                *self._work.routes(),
                *self._office_routes(clerk),
                *self._house_routes().routes(),
            ],
            self._desk,
            self._observer,
            names_requests=names_requests,
        )
        self._settle_in(policy)

    def refused(self, policy: Policy | None, why: str) -> None:
        """Show in readiness that a policy was refused and the old one stays."""
        digest = "" if policy is None else policy.digest()
        self._policy_state = PolicyState(self._policy.digest(), digest, why)

    def _office_routes(self, clerk: Clerk) -> list[Route]:
        """Those that ask no model, for whom their callers are known."""
        pantry = PantryRoutes(
            identify=clerk.identify,
            is_admin=clerk.is_admin,
            cache=self._cache,
            warm=clerk.warm,
            max_body_bytes=self._maker.args.server.max_body_bytes,
        )
        usage = UsageRoute(
            standing=clerk.standing,
            is_admin=clerk.is_admin,
            ledger=self.ledger,
            clock=self._maker.clock,
        )
        keys = KeyRoutes(admin=clerk.admin, keys=Registrar(self._keys))
        return [*pantry.routes(), *keys.routes(), *usage.routes()]

    def _house_routes(self) -> HouseRoutes:
        maker = self._maker
        return HouseRoutes(
            profile=maker.args.profile,
            store=maker.store,
            backends=self._backends,
            catalog=maker.catalog,
            names=self._names,
            policy=lambda: self._policy_state,
            lost=self._lost,
            readings=maker.vitals.readings,
            cache=self._cache,
            desk=self._desk,
            metrics=self._metrics,
            observer=self._observer,
            clock=maker.clock,
        )

    def _lost(self) -> dict[str, int]:
        return {
            "cache_fills": self._pipeline.caching.fills.dropped,
            "request_ends": self._observer.dropped,
            "settlements": self.ledger.dropped,
        }

    def _quotes(self, policy: Policy) -> Quotes:
        return Quotes(self._directory, policy.routing, self._maker.prices.price)

    def _names(self) -> list[ModelName]:
        """Names a request's `model` may have under the policy of the moment."""
        return self._directory.names()

    def start(self) -> None:
        """Start what works beside the requests."""
        self._desk.start()
        self._observer.start()
        self.ledger.start()
        self._keys.start()
        self._admission.start()
        self._sharing.start()
        self._watch.start()
        self._flights.start()
        self._pipeline.caching.fills.start()
        if isinstance(self._cache, CacheStage):
            self._cache.start()
        self._conversation.start()

    def apply(self, policy: Policy) -> None:
        """Use another policy from the next request on.

        Raises:
            PolicyRejected: nothing was changed.
        """
        before = self._policy
        try:
            self._take(policy)
        except Exception:
            self._take(before)
            raise
        self._policy = policy
        self._settle_in(policy)

    def _take(self, policy: Policy) -> None:
        self._directory = Directory(self._maker.catalog, policy.routing)
        prices = self._maker.take_prices(policy)
        if isinstance(self._filter, FilterStage):
            self._filter.reconfigure(policy.filter)
        if isinstance(self._cache, CacheStage):
            self._cache.reconfigure(policy.cache)
        if isinstance(self._router, RouterStage):
            judge = self._maker.judge(policy.routing)
            self._router.reconfigure(policy.routing)
            self._router.judge = judge
        self._admission.reconfigure(policy.admission)
        self._pipeline.reconfigure(policy, prices, self._quotes(policy))

    def _settle_in(self, policy: Policy) -> None:
        self._policy_state = PolicyState(policy.digest())
        self._work.busy_message = policy.busy_message
        self._desk.drain(policy.draining)

    async def close(self) -> None:
        """Finish what requests left behind, then let go of everything; bounded."""
        await self._pipeline.refreshes.close()
        await self._flights.close(CLOSE_LIMIT_S)
        await self._pipeline.caching.fills.close(CLOSE_LIMIT_S)
        if isinstance(self._cache, CacheStage):
            await self._cache.close()
        await self._admission.close()
        await self.ledger.close()
        await self._keys.close()
        await self._observer.close()
        await self._desk.close()
        await self._watch.close()
        await self._sharing.close()
        for backend in self._backends.values():
            await backend.close()
        await self._maker.close()


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
