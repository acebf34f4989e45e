"""What Ray Serve knows of the cluster, for the metrics: its replicas, the load of local models."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from ray.serve.context import _get_global_client

from serve_app.compose.instruments import Count, Load
from serve_app.deployments.carriers import ModelTransport

_TELL: Final = frozenset({"Gateway", "Workers"})
"""Deployments whose processes tell the metrics themselves that they are there."""


def staffing() -> list[Count]:
    """Replicas of every deployment: wanted, and up where they do not say so themselves.

    Serve's controller is asked and waited for, so call it in a thread.
    """
    client = _get_global_client()
    if client is None:
        return []
    applications: dict[str, Any] = client.get_serve_details().get("applications") or {}
    counts: dict[tuple[str, str], int] = {}
    for application in applications.values():
        for name, deployment in (application.get("deployments") or {}).items():
            for state, count in _counted(name, deployment):
                counts[name, state] = counts.get((name, state), 0) + count
    return [(name, state, count) for (name, state), count in counts.items()]


def _counted(name: str, deployment: Mapping[str, Any]) -> list[tuple[str, int]]:
    found = [("wanted", int(deployment.get("target_num_replicas") or 0))]
    if name not in _TELL:
        replicas = deployment.get("replicas") or []
        found.append(("up", sum(replica.get("state") == "RUNNING" for replica in replicas)))
    return found


async def loads(transports: Mapping[str, ModelTransport]) -> list[Load]:
    """How full the engines of the local models are, of those that say."""
    names = list(transports)
    found = await asyncio.gather(*(transports[name].load() for name in names))
    return [
        (name, load.kv_used, load.waiting)
        for name, load in zip(names, found, strict=True)
        if load is not None
    ]
