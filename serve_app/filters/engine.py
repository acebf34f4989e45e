"""RE2 as the filters use it: linear in the text, whatever the pattern, and silent on errors."""

from __future__ import annotations

from typing import Any

import re2

_MEMORY_BYTES = 32 << 20
"""Of the automaton that is built while texts are read; beyond it, it starts anew."""


def options(*, ignore_case: bool = False) -> re2.Options:
    made = re2.Options()
    made.log_errors = False
    made.max_mem = _MEMORY_BYTES
    made.case_sensitive = not ignore_case
    return made


def compiled(pattern: str, *, ignore_case: bool = False) -> Any:
    """A pattern with the interface of `re.Pattern`."""
    return re2.compile(pattern, options(ignore_case=ignore_case))


def tester(*patterns: str) -> re2.Set:
    """Patterns that only say whether a text has them, all of them in half the time of one search:
    `Match` is None, or the numbers of those that it has."""
    made = re2.Set.SearchSet(options())
    for pattern in patterns:
        made.Add(pattern)
    made.Compile()
    return made
