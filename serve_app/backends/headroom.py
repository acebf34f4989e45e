"""What a provider's rate-limit headers leave: headers in, a `Headroom` out.

Known are OpenAI's (`x-ratelimit-remaining-requests`, resets as `6m0s`), Anthropic's
(`anthropic-ratelimit-tokens-remaining`, resets as RFC 3339) and the IETF draft's
(`ratelimit-remaining`, `ratelimit: limit=..., remaining=..., reset=...`). What cannot be read is
left out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from serve_app.core.types import Headroom

MAX_RESET_S = 86_400.0

_STEP = re.compile(r"(\d+(?:\.\d+)?)(ms|us|s|m|h|d)")
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_FIELD = re.compile(r"\b(remaining|reset|r|t)\s*=\s*(\d{1,15})")
_MAX_CHARS = 200

_NAMES = (
    # requests left, tokens left, their resets
    ("x-ratelimit-remaining-requests", "x-ratelimit-remaining-tokens",
     "x-ratelimit-reset-requests", "x-ratelimit-reset-tokens"),
    ("anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-tokens-remaining",
     "anthropic-ratelimit-requests-reset", "anthropic-ratelimit-tokens-reset"),
    ("anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-input-tokens-remaining",
     "anthropic-ratelimit-requests-reset", "anthropic-ratelimit-input-tokens-reset"),
    ("ratelimit-remaining", "", "ratelimit-reset", ""),
    ("x-ratelimit-remaining", "", "x-ratelimit-reset", ""),
)  # fmt: skip


def read_headroom(headers: Mapping[str, str], wall_s: float) -> Headroom | None:
    """What is left; None if the headers do not say.

    Args:
        headers: looked up by lower-case names, whatever their case.
        wall_s: Unix seconds now.
    """
    for requests, tokens, requests_reset, tokens_reset in _NAMES:
        left = _count(headers.get(requests))
        tokens_left = _count(headers.get(tokens)) if tokens else None
        if left is not None or tokens_left is not None:
            resets = (headers.get(requests_reset), headers.get(tokens_reset))
            found = [s for s in (_seconds(value, wall_s) for value in resets) if s is not None]
            return Headroom(left, tokens_left, max(found, default=0.0))
    return _combined(headers.get("ratelimit"))


def _combined(value: str | None) -> Headroom | None:
    fields: dict[str, str] = dict(_FIELD.findall(value[:_MAX_CHARS])) if value else {}
    left = fields.get("remaining", fields.get("r"))
    if left is None:
        return None
    resets = float(fields.get("reset") or fields.get("t") or 0)
    return Headroom(int(left), None, min(resets, MAX_RESET_S))


def _count(value: str | None) -> int | None:
    if value is None or len(value) > 15 or not value.isascii() or not value.isdecimal():
        return None
    return int(value)


def _seconds(value: str | None, wall_s: float) -> float | None:
    """Seconds from now of `6m0s`, `20ms`, `12`, Unix seconds, or an RFC 3339 time."""
    if not value or len(value) > _MAX_CHARS:
        return None
    steps = _STEP.findall(value)
    if steps and "".join(number + unit for number, unit in steps) == value:
        seconds = sum(float(number) * _UNITS[unit] for number, unit in steps)
    else:
        seconds = _moment(value, wall_s)
    return min(max(seconds, 0.0), MAX_RESET_S) if math.isfinite(seconds) else None


def _moment(value: str, wall_s: float) -> float:
    try:
        seconds = float(value)
    except ValueError:
        pass
    else:
        return seconds - wall_s if seconds > 1e9 else seconds
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return math.nan
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() - wall_s
