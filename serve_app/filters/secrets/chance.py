"""How much a text looks drawn by chance: the second signal, where the form says little."""

from __future__ import annotations

import math
import re
from collections import Counter

_PLACEHOLDER = re.compile(
    r"(?i)example|your[_\-.]|placeholder|changeme|redacted|xxxx|\*\*\*|\.\.\.|^[<{]|^\$\w+$|^\$[{(]|^%\w+%$|"
    r"^(?:pass(?:word)?|passwd|pwd|secret|token|null|none|true|false|undefined)$"
)


def entropy(text: str) -> float:
    """Shannon's, in bits a character."""
    length = len(text)
    return -sum(n / length * math.log2(n / length) for n in Counter(text).values())


def is_placeholder(text: str) -> bool:
    """True for what stands for a secret in documents: `your_key`, `xxxx`, `${VAR}`, `***`."""
    return _PLACEHOLDER.search(text) is not None


def kinds_of_letters(text: str) -> int:
    """How many of these it has: small letters, capital letters, digits, signs."""
    return (
        any("a" <= c <= "z" for c in text)
        + any("A" <= c <= "Z" for c in text)
        + any("0" <= c <= "9" for c in text)
        + any(not c.isalnum() for c in text)
    )


def digits_in(text: str) -> int:
    """How many ASCII digits it has."""
    return sum("0" <= c <= "9" for c in text)
