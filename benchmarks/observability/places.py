"""Where things are."""

from __future__ import annotations

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
CONFIGS = REPOSITORY / "configs" / "observability"
DASHBOARDS = CONFIGS / "grafana"
RECORDING = CONFIGS / "rules" / "recording.yaml"
ALERTS = CONFIGS / "rules" / "alerts.yaml"
SHIPPED = REPOSITORY / "configs" / "alerts.yaml"
PICTURES = REPOSITORY / "docs" / "pictures"
