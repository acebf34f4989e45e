"""Evaluates the rules over the history, in a thread: what each comes to."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from serve_app.alerts.base import Labels, Snapshots
from serve_app.alerts.promql.evaluate import CannotMatch, evaluate
from serve_app.alerts.promql.window import Window
from serve_app.alerts.rules import Rule, farthest_s
from serve_app.core.clock import Clock

FRESH_S: Final = 30.0
"""Older figures say nothing of now."""
_SPARE_S: Final = 30.0
MAX_SERIES: Final = 50
"""Alerts of one rule."""


class Sight(Struct):
    """What the rules came to."""

    found: dict[str, Mapping[Labels, float]]
    problems: dict[str, str]
    """Rules that could not be evaluated, and why."""


class Watching:
    def __init__(self, snapshots: Snapshots, clock: Clock) -> None:
        self._snapshots = snapshots
        self._clock = clock
        self._window = Window()

    def forget(self) -> None:
        """Read the history anew: others have written it meanwhile."""
        self._window = Window()

    async def look(self, rules: Sequence[Rule]) -> Sight | None:
        """None: there are no figures of now."""
        now, back_s = self._clock.wall(), farthest_s(rules) + _SPARE_S
        missing_s = min(back_s, now - self._window.last_at + _SPARE_S)
        self._window.add(await self._snapshots.read(missing_s))
        self._window.forget_before(now - back_s)
        if self._window.last_at < now - FRESH_S:
            return None
        seen = Sight({}, {})
        for rule in rules:  # one at a time, so that none holds the interpreter for long
            await asyncio.to_thread(judge, rule, self._window, self._window.last_at, seen)
        return seen


def judge(rule: Rule, window: Window, at: float, seen: Sight) -> None:
    """Note what a rule comes to at a moment (Unix seconds)."""
    try:
        vector = evaluate(rule.node, window, at)
    except CannotMatch as error:
        seen.problems[rule.name] = str(error)
        return
    assert isinstance(vector, dict)
    seen.found[rule.name] = dict(sorted(vector.items())[:MAX_SERIES])
