"""What is so at this moment: models' states, replicas, tasks, the cache, alerts, from gauges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from serve_app.console.snapshots import Moment
from serve_app.console.window import Known

_STATES: Final = ("key_refused", "away", "open")
"""What may be wrong with a model, the worst first."""


def present(now: Moment) -> dict[str, Any]:
    """Everything but the models."""
    return {
        "complete": _value(now, "serve_app_metrics_complete", 0.0) == 1,
        "replicas": _replicas(now),
        "tasks": {
            "counts": [
                {"priority": of["priority"], "state": of["state"], "count": int(n)}
                for of, n in _each(now, "serve_app_tasks")
            ],
            "oldest_s": _value(now, "serve_app_tasks_oldest_seconds", 0.0),
        },
        "cache": _cache(now),
        "alerts": [of for of, fires in _each(now, "serve_app_alerts_firing") if fires],
        "running_requests": int(_value(now, "serve_app_running_requests", 0.0)),
        "event_loop_lag_s": _value(now, "serve_app_event_loop_lag_seconds", 0.0),
        "redis_up": _value(now, "serve_app_redis_up", 0.0) == 1,
        "draining_s": _value(now, "serve_app_draining_seconds", 0.0),
    }


def model(now: Moment, of: Known) -> dict[str, Any]:
    """How a model is, and how busy."""
    name = {"backend": of.backend, "model": of.model}
    calls = _value(now, "serve_app_backend_calls", 0.0, **name)
    return {
        "state": _state(now, of, name),
        "calls": int(calls),
        "local_queue": _queue(now, of.backend) if of.local else None,
    }


def _state(now: Moment, of: Known, name: Mapping[str, str]) -> str:
    if of.off:
        return "off"
    for state in _STATES:
        if _value(now, "serve_app_backend_state", 0.0, **name, state=state):
            return state
    return "ok"


def _queue(now: Moment, backend: str) -> dict[str, Any]:
    """Of a local model: before it, and inside its engine where that tells."""
    waiting = _each(now, "serve_app_turns_waiting")
    return {
        "running": int(_value(now, "serve_app_turns_running", 0.0, backend=backend)),
        "waiting": {of["priority"]: int(n) for of, n in waiting if of["backend"] == backend},
        "queue": _value(now, "serve_app_local_queue", None, backend=backend),
        "kv_used_ratio": _value(now, "serve_app_local_kv_used_ratio", None, backend=backend),
    }


def _replicas(now: Moment) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for of, n in _each(now, "serve_app_replicas"):
        row = found.setdefault(of["deployment"], {"up": 0, "wanted": None})
        row[of["state"]] = int(n)
    return [{"deployment": name, **row} for name, row in sorted(found.items())]


def _cache(now: Moment) -> dict[str, Any]:
    return {
        "entries": {of["what"]: int(n) for of, n in _each(now, "serve_app_cache_entries")},
        "bytes": int(_value(now, "serve_app_cache_bytes", 0.0)),
        "wrong_share": _value(now, "serve_app_cache_wrong_share", None, bound="estimate"),
    }


def _each(now: Moment, name: str) -> Iterator[tuple[dict[str, str], float]]:
    """The series of a gauge: their labels, their value; in a steady order."""
    for labels, value in sorted(now.of(name).items()):
        yield dict(labels), value


def _value(now: Moment, name: str, default: Any, **labels: str) -> Any:
    return now.of(name).get(tuple(sorted(labels.items())), default)
