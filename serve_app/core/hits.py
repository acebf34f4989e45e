"""Which answers the cache gave: the ledger, the records and the metrics count the same ones."""

from __future__ import annotations

from typing import Final

HITS: Final = frozenset({"l1", "l2", "semantic", "flight"})
"""Levels of the cache (`Settlement.cache_level`) at which no model was paid."""
