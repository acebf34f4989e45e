"""How a replica reaches what is elsewhere: the stages, the backends and the local models."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from ray import serve
from ray.serve.handle import DeploymentHandle

from serve_app.compose import Stages
from serve_app.config.backend_settings import LocalBackend
from serve_app.config.structure import GatewayArgs
from serve_app.deployments.backend import HandleWire
from serve_app.deployments.backend_hop import RemoteBackend
from serve_app.deployments.carriers import ModelTransport, sender
from serve_app.deployments.hop import RemoteStage
from serve_app.deployments.stage import METHODS

Handles = Mapping[str, DeploymentHandle]


def stages_over(stages: Handles, backends: Handles) -> Stages:
    """The stages and backends that are deployments, by their handles."""
    remote: dict[str, Any] = {
        name: RemoteStage(name, METHODS[name], sender(handle)) for name, handle in stages.items()
    }
    hosted = {name: RemoteBackend(name, HandleWire(handle)) for name, handle in backends.items()}
    return Stages(**remote, backends=hosted)


def transports_of(args: GatewayArgs) -> dict[str, ModelTransport]:
    """By local backend's name, the way to its model's application."""
    return {
        backend.name: ModelTransport(
            partial(serve.get_deployment_handle, backend.deployment, backend.app),
            f"model application {backend.app!r}",
        )
        for backend in args.backends
        if isinstance(backend, LocalBackend)
    }
