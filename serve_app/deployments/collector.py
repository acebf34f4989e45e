"""Python's garbage collector, set for a process that answers requests."""

from __future__ import annotations

import gc

_THRESHOLDS = (20_000, 20, 20)
"""Allocations between collections. A request leaves almost no cycles behind, and at Python's 700
the collector runs for about every second one: 17 % of the requests/s (measured)."""


def calm() -> None:
    """Call it once what lives for ever is built: that is never looked through again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
