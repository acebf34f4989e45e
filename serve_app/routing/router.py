"""The dispatcher: queries in, plans out. A plan is candidates in order, each with its reason.

`auto` picks the first tier by the request: `cheap` for a short one with little need of
reasoning, `strong` for one with much, `default` for the rest. Fallbacks follow as `directory.py`
says. A model asked for by name gets only the backends that serve it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from serve_app.config.policy import RoutingPolicy
from serve_app.config.structure import HostedBackend, LocalBackend
from serve_app.core.types import Candidate, Exclusion, Plan, PlanQuery
from serve_app.routing.catalog import Catalog, ModelName
from serve_app.routing.directory import Directory, Route
from serve_app.routing.fit import misfit
from serve_app.routing.need import need
from serve_app.routing.refusal import refusal, unknown_model


class RouterStage:
    """Plans requests; implements `routing.base.Router`.

    Args:
        backends: settings in order of preference.
        policy: tiers and thresholds.
        environ: to see which hosted backends have a key.

    Raises:
        PolicyRejected: the policy names a model that there is not.
    """

    def __init__(
        self,
        backends: Sequence[HostedBackend | LocalBackend],
        policy: RoutingPolicy,
        environ: Mapping[str, str],
    ) -> None:
        self.catalog = Catalog(backends, environ)
        self.reconfigure(policy)

    def reconfigure(self, policy: RoutingPolicy) -> None:
        """Use another policy from the next plan on.

        Raises:
            PolicyRejected: nothing was changed.
        """
        self._directory = Directory(self.catalog, policy)
        self._policy = policy

    def names(self) -> list[ModelName]:
        """Every name a request's `model` may have now."""
        return self._directory.names()

    async def plan(self, batch: list[PlanQuery]) -> list[Plan]:
        return [self._plan(query) for query in batch]

    def _plan(self, query: PlanQuery) -> Plan:
        try:
            route = self._directory.route(query.model)
        except KeyError:
            return Plan(problem=unknown_model(query.model, self.names()))
        if route is None:
            return self._automatic(query)
        reason = f"{route.tier} tier: asked for as {query.model!r}" if route.tier else ""
        return _carried_out(route, query, reason)

    def _automatic(self, query: PlanQuery) -> Plan:
        score, signals = need(query.text, query.turns)
        tier, reason = self._first_tier(query.prompt_tokens, score)
        return _carried_out(self._directory.tiers[tier], query, reason, score, signals)

    def _first_tier(self, tokens: int, score: float) -> tuple[str, str]:
        policy = self._policy
        if score >= policy.strong_need:
            return "strong", f"strong tier: need {score:.2f}, at least {policy.strong_need:g}"
        if tokens > policy.short_tokens:
            return "default", f"default tier: need {score:.2f}, {tokens} tokens are not short"
        if score < policy.cheap_need:
            return "cheap", f"cheap tier: short, need {score:.2f} below {policy.cheap_need:g}"
        return "default", f"default tier: need {score:.2f}, neither low nor high"


def _carried_out(
    route: Route,
    query: PlanQuery,
    reason: str,
    score: float = 0.0,
    signals: dict[str, float] | None = None,
) -> Plan:
    """The steps of a route that fit the query; `reason` is that of the route's own models."""
    candidates: list[Candidate] = []
    excluded: list[Exclusion] = []
    for step in route.steps:
        model = step.model
        why_not = misfit(model, query)
        if why_not:
            excluded.append(Exclusion(model.backend, model.id, why_not))
        else:
            why = step.reason or reason
            candidates.append(Candidate(model.backend, model.id, why, model.context))
    return Plan(
        candidates=candidates,
        excluded=excluded,
        need=score,
        signals=signals or {},
        tier=route.tier,
        problem=None if candidates else refusal(route, query),
    )
