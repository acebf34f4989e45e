"""Pieces of PromQL that several dashboards share."""

from __future__ import annotations

OVER = "$__rate_interval"
USD_AN_HOUR = "3600 / 1e6"
"""To be multiplied with micro-USD a second."""


def rate(counter: str, by: str = "", where: str = "") -> str:
    """How fast a counter grows a second, summed by labels."""
    grouped = f" by ({by})" if by else ""
    picked = f"{{{where}}}" if where else ""
    return f"sum{grouped} (rate({counter}{picked}[{OVER}]))"


def ratio(part: str, whole: str) -> str:
    """A share: 0 while the part never happened, nothing while there is no whole."""
    return f"({part} or 0 * {whole}) / ({whole} > 0)"


def quantile(q: float, histogram: str, by: str = "", where: str = "") -> str:
    """An estimated quantile of a histogram, by labels."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({q}, {rate(f'{histogram}_bucket', labels, where)})"


def mean(histogram: str, by: str, where: str = "") -> str:
    """The mean of a histogram, by labels."""
    return f"{rate(f'{histogram}_sum', by, where)} / {rate(f'{histogram}_count', by, where)}"


def usd_per_hour(counter: str, by: str = "", where: str = "") -> str:
    """What a counter of micro-USD comes to, in USD an hour."""
    return f"{rate(counter, by, where)} * {USD_AN_HOUR}"
