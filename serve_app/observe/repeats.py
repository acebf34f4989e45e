"""How often each place in the code may say something in a minute, and what was left out."""

from __future__ import annotations

from typing import Final

_WINDOW_S: Final = 60.0
_MAX_PLACES: Final = 1000


class Repeats:
    """Counts records by place.

    Args:
        most: records of a place in a minute.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._counts: dict[str, int] = {}
        self._ends_at = float("-inf")

    def may(self, place: str, now: float) -> bool:
        """Whether a place may say one more thing. Call `told` before.

        Args:
            now: Unix seconds.
        """
        count = self._counts.get(place, 0) + 1
        if count > 1 or len(self._counts) < _MAX_PLACES:
            self._counts[place] = count
        return count <= self.most

    def told(self, now: float) -> list[tuple[str, int]]:
        """How many records of which places were left out in the minute that is over; once."""
        if now < self._ends_at:
            return []
        left_out = [(place, count - self.most) for place, count in self._counts.items()
                    if count > self.most]  # fmt: skip
        self._counts = {}
        self._ends_at = now + _WINDOW_S
        return left_out
