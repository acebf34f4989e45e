"""The route of costs."""

from __future__ import annotations

from typing import Any, Final

from serve_app.core.costs import GROUPS
from serve_app.wire.costs import MAX_GROUPS, MAX_ROWS, MAX_TIME
from serve_app.wire.openapi.parts import desk_replies, operation, query

Json = dict[str, Any]

_TIME: Final[Json] = {
    "anyOf": [
        {"type": "integer", "minimum": 0, "maximum": MAX_TIME},
        {"type": "string", "format": "date"},
    ]
}


def cost_paths() -> Json:
    """By path, then by method."""
    one = "|".join(GROUPS)
    return {
        "/v1/costs": {
            "get": operation(
                "getCosts",
                "What a period came to: the caller's own, or of admins every tenant's.",
                desk_replies("Costs"),
                parameters=[
                    query("group_by", "Some of the names of groups, separated by commas.",
                          pattern=f"^({one})(,({one})){{0,{MAX_GROUPS - 1}}}$"),
                    _when("from", "Begin, in Unix seconds or as a date; the hour counts whole. "
                          "Without it: seven days before the end."),
                    _when("to", "End. Without it: now."),
                    query("tenant", "Only this one's, for admins."),
                    query("limit", "Groups at most.",
                          type="integer", minimum=1, maximum=MAX_ROWS, default=1000),
                ],
            )
        }
    }  # fmt: skip


def _when(name: str, says: str) -> Json:
    return {"in": "query", "name": name, "description": says, "schema": _TIME}
