"""The form of a text as numbers: how long it is, of which signs, how it asks.

What a text looks like says as much about who can answer it as its words do, and carries over
to subjects that were not among the examples.
"""

from __future__ import annotations

import math
import re
from typing import Final

import numpy as np

from serve_app.routing.learned.numbers import Floats

FORM: Final = (
    "choices",
    "chars",
    "question_chars",
    "words",
    "digit_share",
    "digits",
    "choice_digit_share",
    "choice_chars",
    "longest_choice",
    "choice_spread",
    "chars_per_word",
    "capital_share",
    "questions",
    "ends_asking",
    "blank",
    "currency",
    "notation",
    "negation",
    "quotation",
    "sentences",
    "commas",
    "lines",
    "distinct_words",
    "wide_share",
)
"""Names of the numbers, in their order."""

_CHOICE: Final = re.compile(r"\n\(?[A-Ja-j][.)][ \t]*([^\n]*)")
_NEGATION: Final = re.compile(r"(?i)\b(?:not|except|least|never|neither|nor|cannot)\b|n't\b")
_DIGITS: Final = b"0123456789"
_CAPITALS: Final = bytes(range(65, 91))
_NOTATION: Final = b"=^+*/<>\\(){}[]|~"
_CURRENCY: Final = b"$"
_WIDE: Final = bytes(range(128, 256))


def form(text: str) -> Floats:
    """One number for each of `FORM`; time is linear in the text."""
    raw = text.encode("utf-8", "replace")
    choices = _CHOICE.findall(text)
    first = _CHOICE.search(text)
    question = text[: first.start()] if first else text
    words = text.split()
    digits = _count(raw, _DIGITS)
    chars, count = max(1, len(raw)), max(1, len(words))
    return np.array(
        [
            len(choices),
            _log(len(raw)),
            _log(len(question)),
            _log(len(words)),
            digits / chars,
            _log(digits),
            *_choices(choices),
            len(raw) / count,
            _count(raw, _CAPITALS) / chars,
            _log(question.count("?") + question.count("？")),
            question.rstrip().endswith(("?", "？")),
            "__" in text,
            _log(_count(raw, _CURRENCY)),
            _log(_count(raw, _NOTATION)),
            _NEGATION.search(question) is not None,
            '"' in text or "“" in text,
            _log(question.count(".")),
            _log(text.count(",")),
            _log(text.count("\n")),
            len(set(words)) / count,
            _count(raw, _WIDE) / chars,
        ],
        np.float64,
    )


def _choices(choices: list[str]) -> tuple[float, float, float, float]:
    """Of answers to choose from: share of digits, length, that of the longest, how unequal."""
    if not choices:
        return 0.0, 0.0, 0.0, 0.0
    lengths = [len(choice) for choice in choices]
    total, mean = sum(lengths), sum(lengths) / len(lengths)
    digits = _count("".join(choices).encode("utf-8", "replace"), _DIGITS)
    spread = math.sqrt(sum((length - mean) ** 2 for length in lengths) / len(lengths))
    return digits / (1 + total), _log(total), _log(max(lengths)), spread


def _count(raw: bytes, wanted: bytes) -> int:
    """How many bytes are among the wanted ones."""
    return len(raw) - len(raw.translate(None, wanted))


def _log(count: int) -> float:
    return math.log1p(count)
