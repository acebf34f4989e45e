"""Days, weeks and months of budgets: all of UTC, weeks begin on Monday. As in `ledger.lua`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def periods(now_us: int) -> dict[str, int]:
    """Numbers of the day, week and month since 1970 that a moment is in."""
    day = now_us // 86_400_000_000
    at = datetime.fromtimestamp(now_us / 1e6, UTC)
    return {"day": day, "week": (day + 3) // 7, "month": at.year * 12 + at.month - 1, "total": 0}


def until_next(period: str, now_us: int) -> int:
    """Microseconds until the next day, week or month begins; 0 for `total`."""
    at = datetime.fromtimestamp(now_us // 1_000_000, UTC)
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    if period == "total":
        return 0
    nexts = {
        "day": midnight + timedelta(days=1),
        "week": midnight + timedelta(days=7 - at.weekday()),
        "month": (midnight.replace(day=1) + timedelta(days=32)).replace(day=1),
    }
    return int(nexts[period].timestamp()) * 1_000_000 - now_us
