"""Which models a name stands for, and in which order: catalog and policy in, routes out.

A name is looked up as `auto`, an alias, a tier, `backend/model`, a bare model id, in this
order. What a policy makes of every name is worked out once, when the policy arrives.

After its own models a tier falls back on the others:

    cheap    default, strong, local
    default  strong, cheap, local      (rather a better model than a worse one)
    strong   default, cheap, local
    local    nothing: who asks for `local` may not want the text to leave the house
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from serve_app.config.policy import RoutingPolicy
from serve_app.core.errors import PolicyRejected
from serve_app.routing.catalog import Catalog, Model, ModelName

AUTO: Final = "auto"
OWNER: Final = "serve-app"
"""Owner of names that stand for a choice of models."""

TIERS: Final = ("cheap", "default", "strong", "local")
FALLBACKS: Final = {
    "cheap": ("cheap", "default", "strong", "local"),
    "default": ("default", "strong", "cheap", "local"),
    "strong": ("strong", "default", "cheap", "local"),
    "local": ("local",),
}
_NAMES_SHOWN: Final = 30


class Step(Struct, frozen=True, gc=False):
    """One model of a route. `reason` is empty where the route's own reason holds."""

    model: Model
    reason: str = ""


class Route(Struct, frozen=True):
    """Models in the order to be tried. `tier` is empty for a model asked for by name."""

    tier: str
    steps: tuple[Step, ...]


class Directory:
    """Routes by name.

    Raises:
        PolicyRejected: a tier or an alias names what there is not; says where and what there is.
    """

    def __init__(self, catalog: Catalog, policy: RoutingPolicy) -> None:
        members = _members(catalog, policy)
        self.tiers = {tier: _route(tier, members) for tier in TIERS}
        self._routes: dict[str, Route | None] = {
            name: _pinned(catalog.resolve(name), name) for name in catalog.all_names()
        }
        self._routes |= self.tiers
        self._routes |= self._aliased(policy.aliases, catalog)
        self._routes[AUTO] = None
        self._names = _public_names(catalog, policy, [t for t in TIERS if members[t]])

    def route(self, name: str) -> Route | None:
        """The route for a name; None for `auto`, whose tier depends on the request.

        Raises:
            KeyError: no such name.
        """
        return self._routes[name]

    def names(self) -> list[ModelName]:
        """Every name a request may use now: `auto`, aliases, tiers in use, models that are on."""
        return self._names

    def _aliased(self, aliases: Mapping[str, str], catalog: Catalog) -> dict[str, Route | None]:
        routes: dict[str, Route | None] = {}
        for alias, target in aliases.items():
            where = f"routing.aliases.{alias}"
            if alias == AUTO or not alias.strip():
                raise PolicyRejected(f"{where}: {alias!r} cannot be an alias")
            model = catalog.find(target)
            if target == AUTO:
                routes[alias] = None
            elif target in self.tiers:
                routes[alias] = self.tiers[target]
            elif model is not None:
                routes[alias] = _pinned([model], alias)
            else:
                known = shown([AUTO, *TIERS, *catalog.refs()])
                raise PolicyRejected(f"{where}: there is no {target!r}; known are {known}")
        return routes


def shown(names: Sequence[str]) -> str:
    """Names for a message, bounded."""
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _public_names(catalog: Catalog, policy: RoutingPolicy, tiers: Sequence[str]) -> list[ModelName]:
    names = {name: ModelName(name, OWNER) for name in (AUTO, *policy.aliases, *tiers)}
    for model in catalog.names():
        names.setdefault(model.id, model)
    return list(names.values())


def _members(catalog: Catalog, policy: RoutingPolicy) -> dict[str, list[Model]]:
    """The models of each tier. With no tier given, hosted are `default` and local `local`."""
    refs = {tier: _refs(policy, tier) for tier in TIERS}
    members = {tier: list(_known(catalog, tier, refs[tier])) for tier in TIERS}
    if not any(members.values()):
        members["default"] = [model for model in catalog if not model.local]
        members["local"] = [model for model in catalog if model.local]
    return members


def _refs(policy: RoutingPolicy, tier: str) -> list[str]:
    refs: list[str] = getattr(policy, tier)
    return refs


def _known(catalog: Catalog, tier: str, refs: Sequence[str]) -> Iterable[Model]:
    for index, ref in enumerate(refs):
        model = catalog.find(ref)
        if model is None:
            raise PolicyRejected(
                f"routing.{tier}[{index}]: there is no {ref!r}; known are {shown(catalog.refs())}"
            )
        yield model


def _route(first: str, members: dict[str, list[Model]]) -> Route:
    """A tier's own models, then its fallbacks; a model in several tiers counts once."""
    steps: dict[str, Step] = {}
    for tier in FALLBACKS[first]:
        reason = "" if tier == first else f"{tier} tier: fallback for {first}"
        for model in members[tier]:
            steps.setdefault(model.ref, Step(model, reason))
    return Route(first, tuple(steps.values()))


def _pinned(models: Sequence[Model], name: str) -> Route:
    return Route("", tuple(Step(model, f"asked for as {name!r}") for model in models))
