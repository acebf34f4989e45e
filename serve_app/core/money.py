"""Money as the API shows it."""

from __future__ import annotations


def usd(micro: int) -> str:
    """Micro-dollars as dollars, exactly."""
    sign = "-" if micro < 0 else ""
    return f"{sign}{abs(micro) // 1_000_000}.{abs(micro) % 1_000_000:06d}"
