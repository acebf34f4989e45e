"""`GET /openapi.json`: every route, as OpenAPI 3.1 (spec.openapis.org/oas/v3.1.1)."""

from __future__ import annotations

from typing import Any

import msgspec

from serve_app import __version__
from serve_app.wire.openapi.house import house_paths
from serve_app.wire.openapi.office import office_paths
from serve_app.wire.openapi.parts import problems
from serve_app.wire.openapi.schemas import components
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
        "paths": {**work_paths(), **office_paths(), **house_paths()},
        "components": {
            "schemas": components(),
            "responses": problems(),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
        },
    }
