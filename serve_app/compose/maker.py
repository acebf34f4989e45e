"""Makes single rooms: each knows its settings, all of a process share one clock and one store."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from msgspec import Struct

from serve_app.accounting.prices import OWN, PriceList
from serve_app.backends.base import Backend
from serve_app.backends.dialects.choice import dialect_of
from serve_app.backends.embedder import BackendVectors
from serve_app.backends.hosted import Hosted
from serve_app.backends.keys import ProviderKeys
from serve_app.cache.base import Cache
from serve_app.cache.semantic.base import Embedder
from serve_app.cache.semantic.judge import PairJudge
from serve_app.cache.semantic.level import SemanticLevel
from serve_app.cache.semantic.minilm import from_folder, minilm
from serve_app.cache.stage import CacheStage
from serve_app.config.backend_settings import HostedBackend, LocalBackend
from serve_app.config.paths import data_dir, redis_url
from serve_app.config.policy import Policy, Price, RoutingPolicy
from serve_app.config.shipped import shipped
from serve_app.config.structure import GatewayArgs
from serve_app.core.clock import Clock, SystemClock
from serve_app.filters.base import Filter
from serve_app.filters.chain import FilterStage
from serve_app.flights.flights import Flights
from serve_app.models import embedded
from serve_app.routing.base import Router
from serve_app.routing.catalog import Catalog
from serve_app.routing.estimate import estimate_tokens
from serve_app.routing.learned.fresh import FreshJudge
from serve_app.routing.router import RouterStage
from serve_app.sessions.tokens import TokenCounter, counters
from serve_app.steps.classifying import Classifiers, FindApp
from serve_app.steps.embedding import BackendEmbedder
from serve_app.store.client import Store
from serve_app.vitals.book import Vitals
from serve_app.vitals.sharing import Sharing


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
        for model in self.catalog:  # so that the metrics have those that nobody asked yet
            self.vitals.of(model.backend, model.id)
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
        own = data_dir(self.environ) / OWN
        self.prices = PriceList.load(shipped("prices.yaml"), policy.prices, own)
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
