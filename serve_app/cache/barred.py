"""Which stored answers were purged: purges in, yes or no for an entry out."""

from __future__ import annotations

from collections import OrderedDict
from itertools import product
from typing import Final

from serve_app.core.kept import Entry, Purge

TOLERANCE_S: Final = 1.0
"""So much the clocks of replicas may differ: a little too much is purged, never too little."""

MOST: Final = 1000
"""Purges remembered, here and in Redis."""

_Terms = tuple[str, str, str, str]


class Barred:
    """The latest purges, and whether an entry falls under one.

    An answer is as old as its question: what was asked before a purge may come from what was
    purged, however late it is stored. Asking costs the same however many purges there are.
    """

    def __init__(self) -> None:
        self._purged_at: OrderedDict[_Terms, float] = OrderedDict()
        self._last_at = float("-inf")

    def __len__(self) -> int:
        return len(self._purged_at)

    def add(self, purge: Purge, at: float) -> None:
        """Bar what was asked up to `at` (Unix seconds) and falls under the purge."""
        terms = _terms(purge)
        self._purged_at[terms] = max(at, self._purged_at.get(terms, at))
        self._purged_at.move_to_end(terms)
        self._last_at = max(self._last_at, at)
        if len(self._purged_at) > MOST:
            self._purged_at.popitem(last=False)

    def bars(self, tenant: str, fingerprint: str, entry: Entry) -> bool:
        asked = asked_at(entry)
        if asked > self._last_at + TOLERANCE_S:
            return False
        models = ("", entry.model, f"{entry.backend}/{entry.model}")
        every = product(("", tenant), models, ("", *entry.tags), ("", fingerprint))
        known = self._purged_at
        return any(asked <= known[terms] + TOLERANCE_S for terms in every if terms in known)


def falls_under(purge: Purge, tenant: str, fingerprint: str, entry: Entry) -> bool:
    """Whether a purge is of this entry. `model` may be `backend/model` too."""
    return (
        purge.tenant in ("", tenant)
        and purge.fingerprint in ("", fingerprint)
        and purge.model in ("", entry.model, f"{entry.backend}/{entry.model}")
        and (not purge.tag or purge.tag in entry.tags)
    )


def asked_at(entry: Entry) -> float:
    """Unix seconds at which the question came."""
    return entry.asked_at or entry.stored_at


def _terms(purge: Purge) -> _Terms:
    return (purge.tenant, purge.model, purge.tag, purge.fingerprint)
