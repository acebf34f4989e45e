"""The floor plan: which rooms are deployments of their own, and who calls whom.

    Gateway (ingress) -> Filter, Cache, Router, Backend-<name>...   where `deployed`
                      -> the model applications, by name            always
            Workers   -> the same

Whatever is `fused` is built inside the ingress replica by `compose.py`. Scale, resources and
policy of each deployment stand in the Serve config file under its name.
"""

# No `from __future__ import annotations` here: Serve reads the annotation of the builder's
# parameter as it stands, and a string would not tell it to check `args`.

from typing import Any

from ray import serve
from ray.serve import Application
from ray.serve.schema import LoggingConfig

from serve_app.config.backend_settings import HostedBackend
from serve_app.config.structure import GatewayArgs
from serve_app.deployments.backend import BackendReplica
from serve_app.deployments.gateway import Gateway
from serve_app.deployments.stage import StageReplica
from serve_app.deployments.worker import WorkerReplica

STAGES = {"filter": "Filter", "cache": "Cache", "router": "Router"}
"""Stage to deployment name."""

_QUIET = LoggingConfig(enable_access_log=False, log_level="WARNING")
"""Serve makes an access log record for every request and then filters it out; below the level it
makes none (5 % of the replica's time for a cache hit, measured). We write our own line."""

_GIVE_BACK_S = 15.0
"""For a worker to give back what it could not finish, and to settle what it could."""
_INGRESS_ONGOING = 4096
_STAGE_ONGOING = 64
"""Batches, not requests: each carries many."""
_BACKEND_ONGOING = 2048
"""Streams travel alone."""


def build_gateway(args: GatewayArgs) -> Application:
    """The gateway's application; `args` of the Serve config file.

    Raises:
        pydantic.ValidationError: names the field at fault.
    """
    plain = args.model_dump(mode="json")
    stages, backends = _stages(args, plain), _backends(args, plain)
    return serve.deployment(
        Gateway,
        name="Gateway",
        logging_config=_QUIET,
        max_ongoing_requests=_INGRESS_ONGOING,
        graceful_shutdown_timeout_s=args.server.request_deadline_s + 5,
    ).bind(plain, stages, backends, _workers(args, plain, stages, backends))


def _stages(args: GatewayArgs, plain: dict[str, Any]) -> dict[str, Application]:
    return {
        stage: serve.deployment(StageReplica, name=name, max_ongoing_requests=_STAGE_ONGOING).bind(
            stage, plain
        )
        for stage, name in STAGES.items()
        if getattr(args.placement, stage) == "deployed"
    }


def _backends(args: GatewayArgs, plain: dict[str, Any]) -> dict[str, Application]:
    if args.placement.backends == "fused":
        return {}
    return {
        backend.name: serve.deployment(
            BackendReplica,
            name=f"Backend-{backend.name}",
            logging_config=_QUIET,
            max_ongoing_requests=_BACKEND_ONGOING,
            graceful_shutdown_timeout_s=args.server.request_deadline_s + 5,
        ).bind(backend.name, plain)
        for backend in args.backends
        if isinstance(backend, HostedBackend)
    }


def _workers(
    args: GatewayArgs,
    plain: dict[str, Any],
    stages: dict[str, Application],
    backends: dict[str, Application],
) -> Application | None:
    if args.placement.workers == "fused":
        return None
    return serve.deployment(
        WorkerReplica,
        name="Workers",
        logging_config=_QUIET,
        graceful_shutdown_timeout_s=args.tasks.grace_s + _GIVE_BACK_S,
    ).bind(plain, stages, backends)
