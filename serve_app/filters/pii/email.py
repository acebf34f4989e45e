"""E-mail addresses (RFC 5321: 64 characters before the at sign, 255 after it)."""

from __future__ import annotations

import re

from serve_app.filters.shapes.form import NO, Form
from serve_app.filters.shapes.neighbours import is_word
from serve_app.filters.shapes.shape import (
    BORDER,
    Shape,
    any_of,
    caseless,
    chars,
    maybe,
    then,
    times,
)
from serve_app.filters.shapes.shape import text as literal

_LETTER_OR_DIGIT = chars("A-Za-z0-9")
_TOP = any_of(
    then(caseless(literal("xn--")), maybe(times(chars(r"A-Za-z0-9\-"), 1, 58)), _LETTER_OR_DIGIT),
    times(chars("A-Za-z"), 2, 24),
)
_DOMAIN = then(
    _LETTER_OR_DIGIT,
    maybe(times(any_of(chars(r"A-Za-z0-9\-"), then(literal("."), _LETTER_OR_DIGIT)), 1, 190)),
    literal("."),
    _TOP,
)
_ADDRESS: Shape = then(
    BORDER, chars("A-Za-z0-9_"), times(chars(r"A-Za-z0-9._%+\-"), 0, 63), literal("@"), _DOMAIN
)
_FILE_NAME = re.compile(r"@\dx\.(?:png|jpe?g|gif|svg|webp)$", re.IGNORECASE)


def _judge(text: str, start: int, end: int) -> int:
    address = text[start:end]
    if address.startswith("git@") or _FILE_NAME.search(address):
        return NO
    return NO if is_word(text[end : end + 1]) else end


EMAIL = (Form("email", _ADDRESS, _judge, "@", behind=""),)
