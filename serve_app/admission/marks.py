"""Which budgets are nearly spent, or spent: for whoever has to know before callers complain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from serve_app.core.clock import Clock
from serve_app.core.limits import PERIODS, Scope, Used
from serve_app.core.periods import until_next

Mark = tuple[str, str, str, float]
"""Scope (`per user`), name (`tenant=acme,user=ann`), period, and the share that is used."""

KEPT_S: Final = 600.0
"""So long after it was seen last."""
MAX_MARKS: Final = 200
_REFUSED_S: Final = 120.0
"""So long after a refusal it counts as spent, though a smaller request may have passed since."""
_MAX_NAME: Final = 160
_WORKED_OUT_S: Final = 1.0


class _Seen(Struct):
    ratio: float
    until: float
    """Unix seconds; never later than the end of its period."""
    refused_until: float = 0.0
    at: float = 0.0
    """When its end was worked out."""


class BudgetMarks:
    """Budgets at or above their soft mark, as far as this process has seen their callers."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: dict[tuple[str, str, str], _Seen] = {}

    def __bool__(self) -> bool:
        return bool(self._seen)

    def hear(self, scopes: Sequence[Scope], used: Sequence[Used]) -> None:
        """What the ledger says of a caller's budgets; of those below their mark it is forgotten."""
        for scope, figures in zip(scopes, used, strict=True):
            if not scope.allowance.has_money:
                continue
            for period in PERIODS:
                limit: int = getattr(scope.allowance, period)
                spent = getattr(figures, period) + figures.held
                if limit > 0 and spent * 100 >= limit * scope.allowance.soft:
                    self._note(scope, period, spent / limit)
                else:
                    self._seen.pop(_key(scope, period), None)

    def refused(self, scope: Scope, period: str) -> None:
        """A request was refused, because what is left is not enough: that counts as spent."""
        seen = self._seen.get(_key(scope, period))
        self._note(scope, period, 1.0 if seen is None else max(1.0, seen.ratio))
        if (seen := self._seen.get(_key(scope, period))) is not None:
            seen.refused_until = self._clock.wall() + _REFUSED_S

    def marks(self) -> list[Mark]:
        """Those that are known at the moment."""
        now = self._clock.wall()
        for key in [key for key, seen in self._seen.items() if seen.until <= now]:
            del self._seen[key]
        return [(*key, seen.ratio) for key, seen in self._seen.items()]

    def _note(self, scope: Scope, period: str, ratio: float) -> None:
        key, now = _key(scope, period), self._clock.wall()
        seen = self._seen.get(key)
        if seen is None:
            if len(self._seen) >= MAX_MARKS and len(self.marks()) >= MAX_MARKS:
                return
            seen = self._seen[key] = _Seen(0.0, 0.0)
        seen.ratio = max(ratio, 1.0) if now < seen.refused_until else ratio
        if now - seen.at < _WORKED_OUT_S:
            return
        seen.at = now
        left_s = until_next(period, int(now * 1e6)) / 1e6
        seen.until = now + (min(KEPT_S, left_s) if left_s else KEPT_S)


def _key(scope: Scope, period: str) -> tuple[str, str, str]:
    return scope.name, scope.who[:_MAX_NAME], period
