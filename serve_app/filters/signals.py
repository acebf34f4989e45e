"""The words in which a language's signals of prompt injection are written.

A *cue* is something a sentence says ("ignore", "your instructions"), as a pattern of RE2 over
folded text (`normalize.fold`): lower case, single spaces, ASCII punctuation. A *signal* is one
cue or several in the same sentence, with a weight: 1.0 is enough to count at the default
threshold, so a signal of 1.0 is one that harmless texts hardly ever give.

Cues are short and have no open gaps: one pass over all of them is a DFA, and open or counted
gaps multiply its states. What stands far apart is joined by a signal, not by a pattern.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Signal(NamedTuple):
    """What counts, and how much."""

    name: str
    """Several may share a name: the heaviest that is found counts, once."""
    weight: float
    cues: tuple[str, ...]
    """All of them in one sentence."""
    in_data: float | None = None
    """Weight in what tools bring (`tool_results`), if another one: orders do not belong there."""


class Language(NamedTuple):
    """The cues of a language by name, and the signals that are made of them."""

    cues: Mapping[str, str]
    signals: tuple[Signal, ...]
    reports: tuple[tuple[str, ...], ...] = ()
    """Cues of sentences that report attacks: what is found in those counts less."""


def any_of(*patterns: str) -> str:
    return "(?:" + "|".join(patterns) + ")"


def words(text: str) -> str:
    """One of the words of `text`, which are separated by white space."""
    return any_of(*text.split())
