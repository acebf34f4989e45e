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


def tester(pattern: str) -> re2.Set:
    """A pattern that only says whether a text has it, in half the time: `Match` is None if not."""
    made = re2.Set.SearchSet(options())
    made.Add(pattern)
    made.Compile()
    return made
