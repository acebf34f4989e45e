"""Words before a number that say what it is, where its digits alone do not."""

from __future__ import annotations

import re

REACH = 48
"""Characters before a number in which its cue stands."""


def cue_before(cue: re.Pattern[str], text: str, start: int) -> bool:
    """True if the cue, a pattern that ends with `$`, stands before the number at `start`."""
    return cue.search(text[max(0, start - REACH) : start]) is not None
