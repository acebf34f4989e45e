"""The route of trails."""

from __future__ import annotations

from typing import Any

from serve_app.wire.openapi.parts import desk_replies, operation, path, query
from serve_app.wire.trails import MAX_WAIT_S

Json = dict[str, Any]


def trail_paths() -> Json:
    """By path, then by method."""
    return {
        "/v1/trails/{id}": {
            "parameters": [path("id", pattern="^[A-Za-z0-9._:-]{1,128}$")],
            "get": operation(
                "getTrail",
                "What each stage decided about a request, why, and how long it took.",
                desk_replies("Trail"),
                parameters=[
                    query("wait_s", "So long it is waited for, where it is not there yet.",
                          type="integer", minimum=1, maximum=MAX_WAIT_S),
                    query("tenant", "Another's than the caller's is for admins."),
                ],
            ),
        }
    }  # fmt: skip
