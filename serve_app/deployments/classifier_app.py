"""The application of a classifier: a deployment that runs its model, without a route.

A module of its own, apart from the floor plan: what builds the gateway need not know of it.
"""

# No `from __future__ import annotations`: Serve reads the annotation of the builder's parameter as
# it stands, and a string would not tell it to check `args`.

from typing import Any

import ray
from ray import serve
from ray.serve import Application

from serve_app.config.model_args import ClassifierArgs
from serve_app.deployments.classifier import ClassifierReplica, Device

NAME = "Classifier"
"""Of the deployment; callers go by the application's name."""

_ONGOING = 64
"""Calls at once in a replica, each of many texts; so many more may wait before it."""


def build_classifier(args: ClassifierArgs) -> Application:
    """The application; `serve.get_app_handle(name)` reaches it."""
    device = _device(args)
    deployment = serve.deployment(ClassifierReplica, **_options(args, device))
    return deployment.bind(args, device)


def _device(args: ClassifierArgs) -> Device:
    """`auto` is a GPU if the cluster shows one. One that only starts its GPU machines on demand
    shows none: say `gpu` there."""
    if args.device != "auto":
        return args.device
    gpus = ray.cluster_resources().get("GPU", 0) if ray.is_initialized() else 0
    return "gpu" if gpus else "cpu"


def _options(args: ClassifierArgs, device: Device) -> dict[str, Any]:
    gpu = {"num_gpus": args.gpus} if device == "gpu" else {}
    return {
        "name": NAME,
        "ray_actor_options": {"num_cpus": args.cpus, **gpu},
        "max_ongoing_requests": _ONGOING,
        "max_queued_requests": _ONGOING,
        "graceful_shutdown_timeout_s": 10,
        "health_check_period_s": 5,
        # A replica that computes on all cores answers late without being ill.
        "health_check_timeout_s": 60,
        **_scale(args),
    }


def _scale(args: ClassifierArgs) -> dict[str, Any]:
    if args.min_replicas == args.max_replicas:
        return {"num_replicas": args.min_replicas}
    autoscaling = {
        "min_replicas": args.min_replicas,
        "max_replicas": args.max_replicas,
        "target_ongoing_requests": args.target_ongoing,
    }
    return {"autoscaling_config": autoscaling}
