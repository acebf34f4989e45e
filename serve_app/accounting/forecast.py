"""What the next hours will cost, from hours that were recorded."""

from __future__ import annotations

from fractions import Fraction
from math import floor, sqrt
from typing import Final

from msgspec import Struct

from serve_app.core.costs import Spent

_SIGMAS: Final = 2.0
"""How sure the range is: 19 times of 20."""


class Forecast(Struct, frozen=True):
    """Expected of the next period. Money in micro-USD."""

    requests: int
    cost_micro_usd: int
    low_micro_usd: int
    """The range is of chance alone, as if the traffic went on like before. Nights and weekends are
    not like days: record as long a period as is to be forecast."""
    high_micro_usd: int


def forecast(recorded: Spent, hours: int, next_hours: int) -> Forecast:
    """
    Args:
        hours: how many were recorded.
        next_hours: how many are forecast.
    """
    ratio = Fraction(next_hours, hours)
    cost = _rounded(recorded.cost_micro_usd * ratio)
    spread = _rounded(cost * Fraction(_spread(recorded.requests, float(ratio))))
    return Forecast(
        requests=_rounded(recorded.requests * ratio),
        cost_micro_usd=cost,
        low_micro_usd=max(0, cost - spread),
        high_micro_usd=cost + spread,
    )


def _spread(requests: int, ratio: float) -> float:
    """Share of the cost that chance may add or take away.

    Requests come one by one (Poisson), and their costs differ about as much as they are high, so
    the sum of n of them varies by sqrt(2 / n); both periods do.
    """
    if not requests:
        return 0.0
    return _SIGMAS * sqrt(2 / requests + 2 / (requests * ratio))


def _rounded(value: Fraction) -> int:
    return floor(value + Fraction(1, 2))
