"""How many workers there are to be: by what is under way and what waits.

    autoscaling_config:
      min_replicas: 1 # they count what waits: with none of them nobody would
      max_replicas: 16
      policy: { policy_function: "serve_app.deployments.staffing:workers_wanted" }

Serve's own policy counts calls, and nobody calls a worker. Delays and bounds are those of the
configuration: Serve applies them to what is said here.
"""

from __future__ import annotations

from typing import Any, Protocol


class Context(Protocol):
    """The part of Serve's `AutoscalingContext` that is looked at (Ray 2.60, serve/config.py)."""

    target_num_replicas: int
    aggregated_metrics: dict[str, dict[Any, float]] | None


def workers_wanted(context: Context) -> tuple[float, dict[str, Any]]:
    """Enough for every task that is under way or waits.

    A worker that ends gives back what it has, so that going down loses nothing; but nothing is
    taken from a busy one as long as all of them are needed for what is under way.
    """
    told = context.aggregated_metrics or {}
    busy, room = told.get("busy") or {}, told.get("concurrency") or {}
    if not busy or not room:
        return float(context.target_num_replicas), {}
    waiting = max((told.get("waiting") or {}).values(), default=0.0)
    each = sum(room.values()) / len(room)
    return (sum(busy.values()) + waiting) / max(1.0, each), {}
