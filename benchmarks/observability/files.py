"""The dashboards as files for Grafana."""

from __future__ import annotations

from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from benchmarks.observability import backends, cost, local_model, service, tenants
from benchmarks.observability.places import DASHBOARDS

MADE = {
    "service": service.dashboard,
    "cost": cost.dashboard,
    "backends": backends.dashboard,
    "local-model": local_model.dashboard,
    "tenants": tenants.dashboard,
}


def texts() -> dict[str, str]:
    """Name -> the JSON that Grafana imports."""
    encoder = JSONEncoder(indent=2, sort_keys=True)
    return {name: encoder.encode(made()) + "\n" for name, made in MADE.items()}


def write() -> list[Path]:
    """Write each to its file."""
    DASHBOARDS.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in texts().items():
        path = DASHBOARDS / f"{name}.json"
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written
