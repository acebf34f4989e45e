"""The signals of prompt injection that are looked for, with the weight of each.

Patterns are RE2 and see folded text (`normalize.fold`): lower case, single spaces, ASCII
punctuation. 1.0 is enough to count at the default threshold, so a signal of 1.0 is one that
harmless texts hardly ever give; negative weights are of texts *about* injection.

Gaps are `[^.!?]*`, not `.{0,80}`: one pass over all signals is a DFA, and counted gaps multiply
its states (measured: 20 times the time on text seen for the first time).
"""

from __future__ import annotations

from typing import NamedTuple


class Signal(NamedTuple):
    name: str
    """Languages share names: the weight of one name counts once."""
    weight: float
    pattern: str


def any_of(*patterns: str) -> str:
    return "(?:" + "|".join(patterns) + ")"
