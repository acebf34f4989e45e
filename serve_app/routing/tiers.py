"""Who belongs to which tier: catalog and policy in, models by tier out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from serve_app.config.policy import RoutingPolicy
from serve_app.core.errors import PolicyRejected
from serve_app.core.types import Endpoint
from serve_app.routing.catalog import Catalog, Model, shown

TIERS: Final = ("cheap", "default", "strong", "local")

FALLBACKS: Final = {
    "cheap": ("cheap", "default", "strong"),
    "default": ("default", "strong", "cheap"),
    "strong": ("strong", "default", "cheap"),
}
"""Who stands in for a tier, itself first: rather a better model than a worse one."""

STRENGTH: Final = {"cheap": 0, "default": 1, "strong": 2}

Members = dict[str, list[Model]]


def members(catalog: Catalog, policy: RoutingPolicy) -> Members:
    """The models of each tier. With no tier given, hosted are `default` and local `local`.

    Raises:
        PolicyRejected: a tier names what there is not, or a model for embeddings.
    """
    named = {
        tier: _listed(catalog, f"routing.{tier}", getattr(policy, tier), "chat") for tier in TIERS
    }
    if not any(named.values()):
        chat = [model for model in catalog if model.endpoint == "chat"]
        named["default"] = [model for model in chat if not model.local]
        named["local"] = [model for model in chat if model.local]
    return named


def embedding_models(catalog: Catalog, policy: RoutingPolicy) -> list[Model]:
    """The models for `auto` at embeddings; with none given, all there are.

    Raises:
        PolicyRejected: the policy names what there is not, or a chat model.
    """
    named = _listed(catalog, "routing.embedding", policy.embedding, "embeddings")
    return named or [model for model in catalog if model.endpoint == "embeddings"]


def known(catalog: Catalog, where: str, ref: str) -> Model:
    """The model of a `backend/model`.

    Raises:
        PolicyRejected: there is no such model; says where and what there is.
    """
    model = catalog.find(ref)
    if model is None:
        raise PolicyRejected(f"{where}: there is no {ref!r}; known are {shown(catalog.refs())}")
    return model


def _listed(catalog: Catalog, where: str, refs: Sequence[str], endpoint: Endpoint) -> list[Model]:
    models = [known(catalog, f"{where}[{index}]", ref) for index, ref in enumerate(refs)]
    for model in models:
        if model.endpoint != endpoint:
            raise PolicyRejected(f"{where}: {model.ref!r} is not for {endpoint} (see its `kind`)")
    return models
