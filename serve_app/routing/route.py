"""A route is the choice of models that a name stands for, laid out when the policy arrives.

Its models stand in groups: those of one group are equally good enough for what is asked, and a
strategy puts them in order; those of a later group are for when the earlier ones do not do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from serve_app.config.policy import RoutePolicy, RoutingPolicy, Strategy
from serve_app.routing.catalog import Model
from serve_app.routing.tiers import FALLBACKS, STRENGTH, Members


class Step(Struct, frozen=True, gc=False):
    """One model of a route."""

    model: Model
    group: int
    place: str = ""
    """Why it stands there; empty where the reason is that of the route or the request."""
    bar: str = ""
    """Why the policy, or a missing key, keeps it from ever being asked; empty: it may be."""
    weight: float = 0.0
    """Its share of a weighted split, in any unit."""


class Route(Struct, frozen=True):
    """Steps in the order of the configuration, and how they are put in order for a request."""

    steps: tuple[Step, ...]
    strategy: Strategy
    tier: str = ""
    """Empty where models, not a tier, were asked for."""
    reason: str = ""
    """Of the steps that have none of their own."""
    fallback: bool = True
    """False: only the first candidate is asked."""


_BY_PLACE: Final = {"listed": "as listed", "best": "strongest tier first"}
"""What is said of strategies that measure nothing."""


def told(reason: str, strategy: Strategy) -> str:
    """A reason with the strategy, where that has no figure to tell for each model."""
    by_place = _BY_PLACE.get(strategy)
    return f"{reason}; {by_place}" if reason and by_place else reason


Group = Sequence[tuple[str, Sequence[Model]]]
"""Models with the reason why they stand there, one reason for several."""

FIRST: Final = "local model: before the hosted ones by policy"
BARRED: Final = "only local models may be used (routing.local_use)"


class Layout:
    """Lays out routes by one policy.

    `routing.local_use` decides where local models stand. `fallback` moves the `local` tier and
    local models among the backends of one model id behind the hosted ones; a local model that
    the policy lists in another tier or a route of its own stays where it was listed.
    """

    def __init__(self, policy: RoutingPolicy, members: Members) -> None:
        self._policy = policy
        self._members = members

    def automatic(self, tier: str) -> Route:
        """For `auto`, where the request needs `tier`."""
        strategy = self._policy.strategy
        why_stronger = "fallback for" if strategy == "listed" else "stronger than the needed"
        groups = [self._group(tiers, tier, why_stronger) for tiers in self._order(tier)]
        return Route(self._steps([*groups, self._local(tier)], strategy), strategy, tier)

    def _order(self, tier: str) -> list[tuple[str, ...]]:
        """Tiers that are good enough together, then one by one those that stand in."""
        strategy, chain = self._policy.strategy, FALLBACKS[tier]
        if strategy == "best":
            return [(name,) for name in FALLBACKS["strong"]]
        if strategy == "listed":
            return [(name,) for name in chain]
        enough = tuple(name for name in chain if STRENGTH[name] >= STRENGTH[tier])
        return [enough, *((name,) for name in chain if name not in enough)]

    def named_tier(self, tier: str, name: str) -> Route:
        """For a tier asked for as `name`: its own models by strategy, then those that stand in.

        Nothing stands in for `local`: who asks for it may not want the text to leave the house.
        """
        reason, strategy = f"{tier} tier: asked for as {name!r}", self._policy.strategy
        groups: list[Group] = [[("", self._members["local"])]]
        if tier != "local":
            chain = [self._group((step,), tier) for step in FALLBACKS[tier]]
            groups = [*chain, self._local(tier)]
        return Route(self._steps(groups, strategy), strategy, tier, told(reason, strategy))

    def pinned(self, models: Sequence[Model], name: str) -> Route:
        """For models asked for by name, all backends of one model as a rule."""
        hosted = [model for model in models if not self._is_local(model)]
        local = [model for model in models if self._is_local(model)]
        strategy = self._policy.strategy
        steps = self._steps([[("", hosted)], [("", local)]], strategy)
        return Route(steps, strategy, reason=told(f"asked for as {name!r}", strategy))

    def chosen(self, models: Sequence[Model], policy: RoutePolicy, name: str) -> Route:
        """For a route of the policy."""
        groups: list[Group] = [[("", models)]]
        if policy.strategy == "best":
            strengths = sorted({self._strength(model) for model in models}, reverse=True)
            groups = [[("", [m for m in models if self._strength(m) == s])] for s in strengths]
        steps = self._steps(groups, policy.strategy)
        reason = f"route {name!r}"
        if policy.weights:
            steps = tuple(_weighed(step, policy.weights, reason) for step in steps)
        reason = told(reason, policy.strategy)
        return Route(steps, policy.strategy, reason=reason, fallback=policy.fallback)

    def embedding(self, models: Sequence[Model]) -> Route:
        """For `auto` at embeddings: the backends of the first model that is on.

        Which model that is depends on nothing that changes from request to request: vectors of
        different models do not compare, so a collection must never get both.
        """
        on = [model for model in models if not self._bar(model)] or models
        wanted = on[0].id if on else ""
        others = f"its vectors do not compare with those of {wanted!r}"
        strategy = self._policy.strategy
        steps = self._steps([[("", models)]], strategy)
        kept = [s if s.model.id == wanted else _barred(s, others) for s in steps]
        reason = f"first embedding model that is on: {wanted!r}"
        return Route(tuple(kept), strategy, "embedding", told(reason, strategy))

    def is_open(self, model: Model) -> bool:
        """Whether a request can reach the model at all."""
        return not self._bar(model)

    def _group(
        self, tiers: Sequence[str], needed: str, why_stronger: str = "fallback for"
    ) -> Group:
        group = []
        for tier in tiers:
            why = why_stronger if STRENGTH[tier] > STRENGTH[needed] else "fallback for"
            place = "" if tier == needed else f"{tier} tier: {why} {needed}"
            group.append((place, self._members[tier]))
        return group

    def _local(self, needed: str) -> Group:
        return [(f"local tier: fallback for {needed}", self._members["local"])]

    def _strength(self, model: Model) -> int:
        """Of the strongest tier that has the model; -1 for one in no tier, or only in `local`."""
        tiers = [tier for tier in STRENGTH if model in self._members[tier]]
        return max((STRENGTH[tier] for tier in tiers), default=-1)

    def _is_local(self, model: Model) -> bool:
        """Local are also servers of one's own that are reached like hosted ones, if the policy
        has them in the tier."""
        return model.local or model in self._members["local"]

    def _bar(self, model: Model) -> str:
        if self._policy.local_use == "only" and not self._is_local(model):
            return BARRED
        return model.off

    def _steps(self, groups: Sequence[Group], strategy: Strategy) -> tuple[Step, ...]:
        """Groups as steps; a model that stands in several counts in the first."""
        if self._policy.local_use == "first" and strategy != "weighted":
            every = [model for group in groups for _, models in group for model in models]
            groups = [[(FIRST, [model for model in every if self._is_local(model)])], *groups]
        steps: dict[str, Step] = {}
        for number, group in enumerate(groups):
            for place, models in group:
                for model in models:
                    step = Step(model, number, told(place, strategy), self._bar(model))
                    steps.setdefault(model.ref, step)
        return tuple(steps.values())


def _barred(step: Step, why: str) -> Step:
    return replace(step, bar=step.bar or why)


def _weighed(step: Step, weights: Mapping[str, float], reason: str) -> Step:
    weight, total = weights.get(step.model.ref, 0.0), sum(weights.values())
    return replace(step, weight=weight, place=f"{reason}; weighted: {weight:g} of {total:g}")
