"""How long a provider asks to be left alone: its headers in, seconds out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

MAX_RETRY_AFTER_S = 86_400.0


def asked_pause_s(headers: Mapping[str, str], wall_s: float) -> float | None:
    """Seconds that an answer's headers ask for, None if they do not."""
    exact = _number(headers.get("retry-after-ms"))  # OpenAI and Azure say it this way too
    if exact is not None:
        return _bounded(exact / 1000.0)
    return read_retry_after(headers.get("retry-after"), wall_s)


def read_retry_after(value: str | None, wall_s: float) -> float | None:
    """Seconds of a Retry-After header (a number or an HTTP date), None if it says nothing."""
    if not value:
        return None
    seconds = _number(value)
    return _bounded(_unix_s(value) - wall_s if seconds is None else seconds)


def _number(value: str | None) -> float | None:
    try:
        return float(value) if value else None
    except ValueError:
        return None


def _bounded(seconds: float) -> float | None:
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S) if math.isfinite(seconds) else None


def _unix_s(http_date: str) -> float:
    try:
        date = parsedate_to_datetime(http_date)
    except (ValueError, OverflowError):
        return math.nan
    return date.replace(tzinfo=date.tzinfo or UTC).timestamp()
