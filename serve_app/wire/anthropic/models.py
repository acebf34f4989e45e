"""The names of models as Anthropic's clients expect them."""

from __future__ import annotations

from typing import Any


def model_list(names: list[str]) -> dict[str, Any]:
    """`GET /v1/models`: all on one page."""
    return {
        "data": [model(name) for name in names],
        "has_more": False,
        "first_id": names[0] if names else None,
        "last_id": names[-1] if names else None,
    }


def model(name: str) -> dict[str, str]:
    """`GET /v1/models/{id}`."""
    return {
        "type": "model",
        "id": name,
        "display_name": name,
        "created_at": "1970-01-01T00:00:00Z",  # what Anthropic says where it is not known
        "lifecycle": "active",
    }
