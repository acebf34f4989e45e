"""Token counts as Responses has them."""

from __future__ import annotations

from typing import Any

from serve_app.core.types import Usage

Json = dict[str, Any]


def usage_of(usage: Usage | None) -> Json | None:
    """None: nobody counted."""
    if usage is None:
        return None
    read, written = usage.prompt_tokens_details or {}, usage.completion_tokens_details or {}
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {
            "cached_tokens": _count(read, "cached_tokens"),
            "cache_write_tokens": _count(read, "cache_creation_tokens")
            or _count(read, "cache_write_tokens"),
        },
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": _count(written, "reasoning_tokens")},
        "total_tokens": usage.total_tokens or usage.prompt_tokens + usage.completion_tokens,
    }


def _count(details: Json, name: str) -> int:
    value = details.get(name)
    return value if isinstance(value, int) else 0
