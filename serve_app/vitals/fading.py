"""A share of something that forgets: what was counted a minute ago counts half."""

from __future__ import annotations

HALF_LIFE_S = 60.0

FORGOTTEN_S = 600.0
"""After so long without news nothing is known any more."""


class Fading:
    """Two sums that fade together, so that their ratio is one of recent times."""

    __slots__ = ("_at", "_part", "_whole")

    def __init__(self) -> None:
        self._at = 0.0
        self._part = 0.0
        self._whole = 0.0

    def add(self, now: float, part: float, whole: float) -> None:
        """Count on top; `now` in monotonic seconds."""
        keep = 0.5 ** ((now - self._at) / HALF_LIFE_S)
        self._part = self._part * keep + part
        self._whole = self._whole * keep + whole
        self._at = now

    def at(self, now: float) -> tuple[float, float]:
        """Both sums as they have faded by now."""
        since_s = now - self._at
        if since_s > FORGOTTEN_S:
            return 0.0, 0.0
        keep = 0.5 ** (since_s / HALF_LIFE_S)
        return self._part * keep, self._whole * keep
