"""`GET /openapi.json`: every route, as OpenAPI 3.1 (spec.openapis.org/oas/v3.1.1)."""

from __future__ import annotations

from typing import Any

import msgspec

from serve_app import __version__
from serve_app.wire.openapi.alerts import alert_paths
from serve_app.wire.openapi.costs import cost_paths
from serve_app.wire.openapi.house import house_paths
from serve_app.wire.openapi.later import later_paths
from serve_app.wire.openapi.office import office_paths
from serve_app.wire.openapi.parts import problems
from serve_app.wire.openapi.responses import response_paths
from serve_app.wire.openapi.schemas import components
from serve_app.wire.openapi.stored import stored_paths
from serve_app.wire.openapi.tasks import task_paths
from serve_app.wire.openapi.trails import trail_paths
from serve_app.wire.openapi.work import work_paths


def document() -> bytes:
    """The whole document. Takes milliseconds: make it once."""
    return msgspec.json.encode(_described())


def _described() -> dict[str, Any]:
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "serve-app",
            "version": __version__,
            "description": "An AI-agent gateway: one address in front of hosted and local models.",
        },
        "paths": _merged(
            work_paths(),
            later_paths(),
            task_paths(),
            response_paths(),
            stored_paths(),
            office_paths(),
            cost_paths(),
            trail_paths(),
            alert_paths(),
            house_paths(),
        ),
        "components": {
            "schemas": components(),
            "responses": problems(),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
        },
    }


def _merged(*parts: dict[str, Any]) -> dict[str, Any]:
    """Paths of several parts; of one path they may have different methods."""
    paths: dict[str, Any] = {}
    for part in parts:
        for path, methods in part.items():
            paths[path] = paths.get(path, {}) | methods
    return paths
