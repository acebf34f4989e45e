"""Patterns of bounded length that know their own beginnings.

A stream may be cut wherever no match begins that more text could complete. So beside the regular
expression of the whole, a shape carries that of its beginnings, and whatever is built of shapes
has both: the two cannot disagree.
"""

from __future__ import annotations

from typing import NamedTuple

import re2


class Shape(NamedTuple):
    """RE2 for the whole, RE2 for its beginnings, and its greatest length in characters.

    Attributes:
        part: the non-empty beginnings, the whole included; empty for what takes no character,
            such as a word border. It may match a bit more, never less.
        loose: the whole, where long rows are not counted. Beginnings
            are built of it: a state for each count of each shape would cost RE2 a hundred
            microseconds for every new text, more than it is worth that what is too long for a
            match is not held.
    """

    whole: str
    part: str
    longest: int
    loose: str


def _sign(pattern: str) -> Shape:
    return Shape(pattern, pattern, 1, pattern)


BORDER = Shape(r"\b", "", 0, r"\b")
"""Before an ASCII letter, digit or underscore that none stands before."""
NO_BORDER = Shape(r"\B", "", 0, r"\B")
"""Before a sign: none of those stands before it."""


def chars(members: str) -> Shape:
    """One character of a class, as it is written between the brackets."""
    return _sign(f"[{members}]")


def text(literal: str) -> Shape:
    """These characters."""
    return then(*(_sign(re2.escape(c)) for c in literal))


def then(*shapes: Shape) -> Shape:
    """One after the other."""
    part = shapes[-1].part
    for shape in reversed(shapes[:-1]):
        if not shape.part:
            part = f"{shape.loose}{part}"
        elif shape.part == shape.loose:
            part = f"{shape.loose}(?:{part})?"
        else:
            part = f"(?:{shape.part}|{shape.loose}{part})"
    return Shape(
        "".join(s.whole for s in shapes),
        part,
        sum(s.longest for s in shapes),
        "".join(s.loose for s in shapes),
    )


def any_of(*shapes: Shape) -> Shape:
    """One of them; of several that fit, the first."""
    return Shape(
        f"(?:{'|'.join(s.whole for s in shapes)})",
        f"(?:{'|'.join(s.part for s in shapes)})",
        max(s.longest for s in shapes),
        f"(?:{'|'.join(s.loose for s in shapes)})",
    )


_COUNTED = 16


def times(shape: Shape, least: int, most: int | None = None) -> Shape:
    """So many in a row: as many as there are; `most` is `least` if left out, 1000 at most."""
    most = least if most is None else most
    whole = f"(?:{shape.whole}){{{least},{most}}}"
    longest = shape.longest * most
    if most > _COUNTED:
        return unending(shape, min(least, 1))._replace(whole=whole, longest=longest)
    loose = f"(?:{shape.loose}){{{least},{most}}}"
    before = f"(?:{shape.loose}){{0,{most - 1}}}" if most > 1 else ""
    return Shape(whole, f"{before}(?:{shape.part})", longest, loose)


def maybe(shape: Shape) -> Shape:
    """It or nothing."""
    return Shape(f"(?:{shape.whole})?", f"(?:{shape.part})", shape.longest, f"(?:{shape.loose})?")


def unending(shape: Shape, least: int = 1, longest: int = 8192) -> Shape:
    """As many as there are, for what is longer than RE2 counts: the form gives the bound, and has
    a `head` so that no search runs on and on."""
    whole = f"(?:{shape.whole}){{{least},}}"
    part = f"(?:{shape.loose})*(?:{shape.part})" if shape.part != shape.loose else f"{shape.part}+"
    return Shape(whole, part, longest, f"(?:{shape.loose}){{{least},}}")


def caseless(shape: Shape) -> Shape:
    """In upper or lower case."""
    return Shape(f"(?i:{shape.whole})", f"(?i:{shape.part})", shape.longest, f"(?i:{shape.loose})")


DIGIT = chars("0-9")


def digits(least: int, most: int | None = None) -> Shape:
    """So many ASCII digits."""
    return times(DIGIT, least, most)
