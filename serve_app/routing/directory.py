"""Which route a name stands for: catalog and policy in, routes by name out.

A name is looked up as `auto`, an alias, a route of the policy, a tier, `backend/model`, a bare
model id, in this order. What a policy makes of every name is worked out once, when it arrives.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from serve_app.config.policy import RoutePolicy, RoutingPolicy
from serve_app.core.errors import PolicyRejected
from serve_app.routing.catalog import Catalog, Model, ModelName, shown
from serve_app.routing.route import Layout, Route
from serve_app.routing.tiers import (
    FALLBACKS,
    TIERS,
    Members,
    embedding_models,
    known,
    members,
)

AUTO: Final = "auto"
OWNER: Final = "serve-app"
"""Owner of names that stand for a choice of models."""


class Directory:
    """Routes by name.

    Raises:
        PolicyRejected: a tier, a route or an alias names what there is not, or mixes what does
            not go together; says where and what there is.
    """

    def __init__(self, catalog: Catalog, policy: RoutingPolicy) -> None:
        self._catalog = catalog
        self._policy = policy
        self._members = members(catalog, policy)
        self._layout = Layout(policy, self._members)
        self.automatic = {tier: self._layout.automatic(tier) for tier in FALLBACKS}
        """By the tier that a request needs, what `auto` stands for."""
        self.embedding = self._layout.embedding(embedding_models(catalog, policy))
        """What `auto` stands for at embeddings."""
        self._routes = self._by_name()
        self._names = self._public_names()

    def route(self, name: str) -> Route | None:
        """The route for a name; None for `auto`, whose tier depends on the request.

        Raises:
            KeyError: no such name.
        """
        return self._routes[name]

    def is_automatic(self, name: str) -> bool:
        """Whether the name is `auto` or another one for it."""
        return name in self._routes and self._routes[name] is None

    def names(self) -> list[ModelName]:
        """Every name a request may use now: `auto`, aliases, routes, tiers, models that are on."""
        return self._names

    def _by_name(self) -> dict[str, Route | None]:
        layout, catalog = self._layout, self._catalog
        routes: dict[str, Route | None] = {
            name: layout.pinned(catalog.resolve(name), name) for name in catalog.all_names()
        }
        routes |= {tier: layout.named_tier(tier, tier) for tier in TIERS}
        routes |= {name: self._chosen(name, own) for name, own in self._policy.routes.items()}
        routes |= {alias: self._alias(alias, name) for alias, name in self._policy.aliases.items()}
        routes[AUTO] = None
        return routes

    def _chosen(self, name: str, own: RoutePolicy) -> Route:
        where = f"routing.routes.{name}"
        _check_name(where, name)
        models = _listed(self._catalog, self._members, f"{where}.models", own.models)
        _check_kinds(where, models)
        refs = [model.ref for model in models]
        strangers = [ref for ref in own.weights if ref not in refs]
        if strangers:
            raise PolicyRejected(
                f"{where}.weights: {shown(strangers)} not among its models; those are {shown(refs)}"
            )
        return self._layout.chosen(models, own, name)

    def _alias(self, alias: str, target: str) -> Route | None:
        where = f"routing.aliases.{alias}"
        _check_name(where, alias)
        own, model = self._policy.routes, self._catalog.find(target)
        if alias in own:
            raise PolicyRejected(f"{where}: there is a route of that name already")
        if target == AUTO:
            return None
        if target in own:
            return self._chosen(target, own[target])
        if target in TIERS:
            return self._layout.named_tier(target, alias)
        if model is not None:
            return self._layout.pinned([model], alias)
        have = shown([AUTO, *own, *TIERS, *self._catalog.refs()])
        raise PolicyRejected(f"{where}: there is no {target!r}; known are {have}")

    def _public_names(self) -> list[ModelName]:
        policy = self._policy
        tiers = [tier for tier in TIERS if self._members[tier]]
        choices = (AUTO, *policy.aliases, *policy.routes, *tiers)
        names = {name: ModelName(name, OWNER) for name in choices}
        for model in self._catalog.names(self._layout.is_open):
            names.setdefault(model.id, model)
        return list(names.values())


def _check_name(where: str, name: str) -> None:
    if name == AUTO or not name.strip():
        raise PolicyRejected(f"{where}: {name!r} cannot be a name")


def _listed(catalog: Catalog, members: Members, where: str, names: Sequence[str]) -> list[Model]:
    """The models of a list of tiers and `backend/model`, each once."""
    models: dict[str, Model] = {}
    for index, name in enumerate(names):
        own = name not in TIERS
        some = [known(catalog, f"{where}[{index}]", name)] if own else members[name]
        models.update({model.ref: model for model in some})
    return list(models.values())


def _check_kinds(where: str, models: Sequence[Model]) -> None:
    if len({model.endpoint for model in models}) > 1:
        raise PolicyRejected(f"{where}: a route is for chat or for embeddings, not for both")
    ids = {model.id for model in models}
    if len(ids) > 1 and models[0].endpoint == "embeddings":
        raise PolicyRejected(
            f"{where}: vectors of different models do not compare: {shown(sorted(ids))}"
        )
