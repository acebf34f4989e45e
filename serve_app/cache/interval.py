"""How sure a share is that was counted in a sample."""

from __future__ import annotations

import math
from typing import Final

_Z: Final = 1.959964
"""Of the normal distribution, for 95 %."""


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson's score interval); all that is possible for none."""
    if trials <= 0:
        return 0.0, 1.0
    share, z2 = hits / trials, _Z * _Z / trials
    middle = (share + z2 / 2) / (1 + z2)
    half = _Z / (1 + z2) * math.sqrt(share * (1 - share) / trials + z2 / (4 * trials))
    low = 0.0 if hits <= 0 else middle - half
    return max(0.0, low), 1.0 if hits >= trials else min(1.0, middle + half)
