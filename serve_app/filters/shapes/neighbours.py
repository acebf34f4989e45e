"""What stands beside a number and makes it part of something longer."""

from __future__ import annotations


def is_word(c: str) -> bool:
    """True for an ASCII letter or digit."""
    return c.isascii() and c.isalnum()


def begins_alone(text: str, start: int) -> bool:
    """False after a letter, a digit, `_`, or a digit with a sign: `9876-4111…`, `0.4111…`."""
    before, further = text[max(0, start - 1) : start], text[max(0, start - 2) : max(0, start - 1)]
    if before == "_" or is_word(before):
        return False
    return not (before in {"-", ".", "+"} and _is_digit(further))


def ends_alone(text: str, end: int) -> bool:
    """False before a letter, a digit, `_`, or a sign with a digit."""
    after, further = text[end : end + 1], text[end + 1 : end + 2]
    if after == "_" or is_word(after):
        return False
    return not (after in {".", "-"} and _is_digit(further))


def _is_digit(c: str) -> bool:
    return c.isascii() and c.isdigit()
