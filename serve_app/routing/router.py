"""The dispatcher: queries in, plans out. A plan is candidates in order, each with its reason.

A name stands for a route (`directory.py`, `route.py`), `auto` for that of the tier which the
request needs (`decision.py`). Of a route's models those that cannot take the request are left
out (`fit.py`), each with its reason; the rest is put in order by how they are doing, by the
strategy and by what the conversation knows already (`order.py`), or drawn (`split.py`).

The same query under the same policy, vitals and prices makes the same plan, on every replica.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from serve_app.config.backend_settings import HostedBackend, LocalBackend
from serve_app.config.policy import Price, RoutingPolicy
from serve_app.core.clock import Clock, SystemClock
from serve_app.core.errors import GatewayError
from serve_app.core.plan import Plan, PlanQuery
from serve_app.routing.base import Book, Judge
from serve_app.routing.catalog import Catalog, ModelName
from serve_app.routing.decision import Verdict, decide
from serve_app.routing.directory import Directory
from serve_app.routing.planning import planned
from serve_app.routing.refusal import unknown_model
from serve_app.routing.standing import Standings


class RouterStage:
    """Plans requests; implements `routing.base.Router`.

    Args:
        backends: settings in order of preference.
        policy: tiers, strategies and thresholds.
        environ: to see which hosted backends have a key.
        vitals: how the models are doing.
        price: of a model by its name, None where it is not known.
        judge: decides about the strong tier while the policy has `learned`.

    Raises:
        PolicyRejected: the policy names a model that there is not.
    """

    def __init__(
        self,
        backends: Sequence[HostedBackend | LocalBackend],
        policy: RoutingPolicy,
        environ: Mapping[str, str],
        vitals: Book,
        price: Callable[[str], Price | None],
        judge: Judge | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.catalog = Catalog(backends, environ)
        self.judge = judge
        """May be replaced while requests run."""
        self._standings = Standings(vitals, price, clock or SystemClock())
        self.reconfigure(policy)

    def reconfigure(self, policy: RoutingPolicy) -> None:
        """Use another policy, and prices as they are now, from the next plan on.

        Raises:
            PolicyRejected: nothing was changed.
        """
        self._directory = Directory(self.catalog, policy)
        self._policy = policy
        self._standings.forget()

    def names(self) -> list[ModelName]:
        """Every name a request's `model` may have now."""
        return self._directory.names()

    async def plan(self, batch: list[PlanQuery]) -> list[Plan]:
        if self._policy.learned is None or self.judge is None:
            return [self._plan(query, None) for query in batch]
        return await self._learned(batch, self.judge)

    async def _learned(self, batch: list[PlanQuery], judge: Judge) -> list[Plan]:
        """Plans by what was learned, or by the rule while the judge cannot tell."""
        asked = [query for query in batch if self._is_automatic(query)]
        try:
            scores = await judge.judge([query.text for query in asked]) if asked else []
        except GatewayError:
            return [self._plan(query, None) for query in batch]
        verdicts = {
            id(query): Verdict(score, judge.threshold)
            for query, score in zip(asked, scores, strict=True)
        }
        return [self._plan(query, verdicts.get(id(query))) for query in batch]

    def _is_automatic(self, query: PlanQuery) -> bool:
        return query.endpoint == "chat" and self._directory.is_automatic(query.model)

    def _plan(self, query: PlanQuery, verdict: Verdict | None) -> Plan:
        directory = self._directory
        try:
            route = directory.route(query.model)
        except KeyError:
            return Plan(problem=unknown_model(query.model, self.names()))
        decision = None
        if route is None and query.endpoint == "embeddings":
            route = directory.embedding
        elif route is None:
            decision = decide(self._policy, query, verdict)
            route = directory.automatic[decision.tier]
        return planned(route, query, self._standings, decision, sticky=self._policy.sticky)
