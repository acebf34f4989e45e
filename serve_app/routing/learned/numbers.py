"""Names for arrays, so that signatures say what is in them, and the one sum that all need."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def summed(numbers: Floats, places: Ints, size: int) -> Floats:
    """Sums of the numbers by their place, for places from 0 to `size` (excluded)."""
    return np.bincount(places, numbers, minlength=size).astype(np.float64, copy=False)


def counted(places: Ints, size: int) -> Floats:
    """How often each place occurs."""
    return np.bincount(places, minlength=size).astype(np.float64)
