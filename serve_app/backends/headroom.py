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
from typing import NamedTuple

from serve_app.core.vital import Headroom

MAX_RESET_S = 86_400.0

_STEP = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|us|s|m|h|d)")
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_FIELD = re.compile(r"\b(limit|remaining|reset|r|t)\s*=\s*(\d{1,15})(?![\d.])")
_MAX_CHARS = 200


class _Names(NamedTuple):
    """Headers of one limit."""

    left: str
    limit: str
    resets: str


_OPENAI = (
    _Names(
        "x-ratelimit-remaining-requests",
        "x-ratelimit-limit-requests",
        "x-ratelimit-reset-requests",
    ),
    _Names("x-ratelimit-remaining-tokens", "x-ratelimit-limit-tokens", "x-ratelimit-reset-tokens"),
)
_ANTHROPIC_REQUESTS = _Names(
    "anthropic-ratelimit-requests-remaining",
    "anthropic-ratelimit-requests-limit",
    "anthropic-ratelimit-requests-reset",
)
_ANTHROPIC_TOKENS = tuple(
    _Names(
        f"anthropic-ratelimit-{kind}-remaining",
        f"anthropic-ratelimit-{kind}-limit",
        f"anthropic-ratelimit-{kind}-reset",
    )
    for kind in ("tokens", "input-tokens", "output-tokens")
)
_PLAIN = (
    _Names("ratelimit-remaining", "ratelimit-limit", "ratelimit-reset"),
    _Names("x-ratelimit-remaining", "x-ratelimit-limit", "x-ratelimit-reset"),
)


class _Limit(NamedTuple):
    left: int
    of: int | None
    resets_in_s: float

    @property
    def share(self) -> float:
        """What is left of it; where nobody says of how much, that of a large limit."""
        return self.left / max(self.of or 1_000_000, 1)


def read_headroom(headers: Mapping[str, str], wall_s: float) -> Headroom | None:
    """What is left; None if the headers do not say. 1 us where there are none.

    The time is that of the limit with the smallest share left: it is the one that will be felt.

    Args:
        headers: looked up by lower-case names, whatever their case.
        wall_s: Unix seconds now.
    """
    for names in _OPENAI:
        if names.left in headers:
            return _both(*(_limit(headers, names, wall_s) for names in _OPENAI))
    if _ANTHROPIC_REQUESTS.left in headers:
        tokens = [_limit(headers, names, wall_s) for names in _ANTHROPIC_TOKENS]
        known = [limit for limit in tokens if limit is not None]
        least = min(known, key=lambda limit: limit.share, default=None)
        return _both(_limit(headers, _ANTHROPIC_REQUESTS, wall_s), least)
    for names in _PLAIN:
        if names.left in headers:
            return _both(_limit(headers, names, wall_s), None)
    return _combined(headers["ratelimit"]) if "ratelimit" in headers else None


def _both(requests: _Limit | None, tokens: _Limit | None) -> Headroom | None:
    known = [limit for limit in (requests, tokens) if limit is not None]
    if not known:
        return None
    scarcest = min(known, key=lambda limit: limit.share)
    return Headroom(
        requests.left if requests is not None else None,
        tokens.left if tokens is not None else None,
        scarcest.resets_in_s,
    )


def _limit(headers: Mapping[str, str], names: _Names, wall_s: float) -> _Limit | None:
    left = _count(headers.get(names.left))
    if left is None:
        return None
    resets_in_s = _seconds(headers.get(names.resets), wall_s)
    return _Limit(left, _count(headers.get(names.limit)), resets_in_s or 0.0)


def _combined(value: str) -> Headroom | None:
    """`limit=100, remaining=50, reset=30`, or of a newer draft `"default";r=50;t=30`."""
    fields: dict[str, str] = dict(_FIELD.findall(value[:_MAX_CHARS]))
    left = fields.get("remaining", fields.get("r"))
    if left is None:
        return None
    resets_in_s = float(fields.get("reset") or fields.get("t") or 0)
    return Headroom(int(left), None, min(resets_in_s, MAX_RESET_S))


def _count(value: str | None) -> int | None:
    if value is None or len(value) > 15 or not value.isascii() or not value.isdecimal():
        return None
    return int(value)


def _seconds(value: str | None, wall_s: float) -> float | None:
    """Seconds from now of `6m0s`, `20ms`, `12`, a Unix time, or an RFC 3339 time."""
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
        number = float(value)
    except ValueError:
        return _rfc3339(value) - wall_s
    if number > 1e11:  # Unix milliseconds, as OpenRouter gives them
        number /= 1000.0
    return number - wall_s if number > 1e9 else number


def _rfc3339(value: str) -> float:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return math.nan
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
