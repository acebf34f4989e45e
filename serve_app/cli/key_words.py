"""What is said about API keys on the command line, as the admin API takes it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from serve_app.cli.failure import USAGE, Failure

_SPAN: Final = re.compile(r"([0-9]{1,9})([smhdw])")
_UNITS_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_NUMBER: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")


def span_s(text: str) -> int:
    """Seconds in `90s`, `15m`, `12h`, `30d` or `2w`.

    Raises:
        Failure: it is none of these.
    """
    parts = _SPAN.fullmatch(text)
    if parts is None:
        raise Failure(f"{text!r} is no time; write 90s, 15m, 12h, 30d or 2w", USAGE)
    return int(parts[1]) * _UNITS_S[parts[2]]


def moment(text: str, now: float) -> int:
    """Unix seconds of `never`, of a time from now (`30d`), or of a date (of UTC, unless it says).

    Raises:
        Failure: it is none of these.
    """
    if text == "never":
        return 0
    if _SPAN.fullmatch(text):
        return int(now) + span_s(text)
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise Failure(f"{text!r} is no time; write 30d, 2026-12-31 or never", USAGE) from None
    return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp())


def limits(terms: Iterable[str]) -> dict[str, Any]:
    """`NAME=NUMBER` terms as a mapping; a dot leads into `budget`.

    Raises:
        Failure: a term is not of that form.
    """
    found: dict[str, Any] = {}
    for term in terms:
        name, _, value = term.partition("=")
        outer, _, inner = name.partition(".")
        into = found.setdefault(outer, {}) if inner else found
        if not outer or not value or not isinstance(into, dict):
            raise Failure(
                f"--limit {term!r} is not NAME=NUMBER, like requests_per_minute=60 or "
                "budget.month=50",
                USAGE,
            )
        into[inner or outer] = _value(value)
    return found


def _value(text: str) -> int | float | str:
    """A number where it is one; what a word means, the gateway knows."""
    number = _NUMBER.fullmatch(text)
    if number is None:
        return text
    return float(text) if number[1] else int(text)
