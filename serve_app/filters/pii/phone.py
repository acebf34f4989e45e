"""Phone numbers: international (ITU-T E.164), of North America (NANP) and of China.

Order numbers, dates, decimals and long identifiers look like them; what stands beside the digits
tells them apart.
"""

from __future__ import annotations

import re

from serve_app.filters.pii.cue import cue_before
from serve_app.filters.shapes.form import NO, Form
from serve_app.filters.shapes.neighbours import is_word
from serve_app.filters.shapes.shape import (
    BORDER,
    DIGIT,
    NO_BORDER,
    any_of,
    chars,
    digits,
    maybe,
    text,
    then,
    times,
)

_SEP = maybe(chars(r" .\-"))
_DASH = maybe(chars(r" \-"))
_OPEN, _CLOSE = maybe(text("(")), maybe(text(")"))
_AREA = then(chars("2-9"), digits(2))
_CHINA = then(
    any_of(
        then(text("("), maybe(any_of(text("+"), text("00"))), text("86)")),
        then(NO_BORDER, text("+86")),
        then(BORDER, any_of(text("0086"), text("86"))),
    ),
    _SEP,
)
_MOBILE_DIGITS = then(
    text("1"), chars("3-9"), DIGIT, _SEP, digits(4), _SEP, digits(4)
)  # fmt: skip
_MOBILE = any_of(then(_CHINA, _MOBILE_DIGITS), then(BORDER, _MOBILE_DIGITS))
_BIG_CITY = any_of(text("10"), then(text("2"), chars("0-57-9")))
_CITY = any_of(_BIG_CITY, then(chars("3-9"), digits(2)))
_LOCAL = then(chars("2-8"), digits(2, 3), _DASH, digits(4))
_EXTENSION = maybe(then(text("-"), digits(1, 6)))
_LANDLINE = any_of(
    then(text("(0"), _CITY, text(")"), _DASH, _LOCAL, _EXTENSION),
    then(BORDER, text("0"), _CITY, chars(r" \-"), _LOCAL, _EXTENSION),
    then(BORDER, text("0"), _BIG_CITY, chars("2-8"), digits(7), _EXTENSION),
    then(BORDER, text("0086"), _DASH, maybe(text("0")), _CITY, _DASH, _LOCAL, _EXTENSION),
)
_SERVICE = then(
    BORDER,
    chars("48"),
    text("00"),
    any_of(
        then(chars(r" \-"), digits(3), chars(r" \-"), digits(4)),
        then(text("-"), digits(4), text("-"), digits(3)),
        then(_DASH, digits(7)),
    ),
)
_AMERICA = any_of(
    then(
        NO_BORDER, text("+1"), _SEP, _OPEN, _AREA, _CLOSE, _SEP, _AREA, _SEP, digits(4)
    ),
    then(text("("), _AREA, text(")"), _SEP, _AREA, chars(r" .\-"), digits(4)),
    then(BORDER, text("1"), _SEP, text("("), _AREA, text(")"), _SEP, _AREA, chars(r" .\-"),
         digits(4)),
    then(BORDER, maybe(then(text("1"), chars(r".\-"))), _AREA, chars(r".\-"), _AREA,
         chars(r".\-"), digits(4)),
)  # fmt: skip
_INTERNATIONAL = then(
    NO_BORDER,
    text("+"),
    chars("1-9"),
    times(
        then(maybe(any_of(then(_SEP, text("(")), then(text(")"), _SEP), chars(r" .\-"))), DIGIT),
        7,
        14,
    ),
)

_DECIMAL = re.compile(r"\+\d+\.\d+")
_GROUP_END = re.compile(r"(?<=\d)[ .()\-]+\d+$")
_LEAST_DIGITS = 8
_SERVICE_CUE = re.compile(r"(?i:电话|热线|客服|拨打|致电|联系|tel|phone|call|hotline|dial)\D{0,8}$")


def _judge(text: str, start: int, end: int) -> int:
    if not _may_begin(text, start):
        return NO
    while not _may_end(text, end):
        shorter = _GROUP_END.search(text[start:end])
        if shorter is None:
            return NO
        end = start + shorter.start()
    number = text[start:end]
    if _DECIMAL.fullmatch(number) or sum(c.isdigit() for c in number) < _LEAST_DIGITS:
        return NO
    return end


def _judge_service(text: str, start: int, end: int) -> int:
    if text[start:end].isdigit() and not cue_before(_SERVICE_CUE, text, start):
        return NO
    return _judge(text, start, end)


def _may_begin(text: str, start: int) -> bool:
    """False after something that makes the digits part of a longer thing."""
    if start == 0 or text[start] == "(":
        return True
    before, further = text[start - 1], text[max(0, start - 2) : start - 1]
    if before in "_#" or is_word(before):
        return False
    if before in "-+":
        return not is_word(further)
    if before == ".":
        return not further.isdecimal()
    return not (before == "/" and further.isascii() and further.isalpha())


def _may_end(text: str, end: int) -> bool:
    after, further = text[end : end + 1], text[end + 1 : end + 2]
    if after == "_" or is_word(after):
        return False
    return not (after in {".", "-"} and further.isdecimal())


PHONE = (
    Form("phone", _MOBILE, _judge, r"1[3-9]\d[ .\-]?\d{4}[ .\-]?\d{4}"),
    Form("phone", _LANDLINE, _judge, r"0(?:[ \-)]{0,2}\d){9}"),
    Form("phone", _SERVICE, _judge_service, r"[48]00[ \-]?\d{3}"),
    Form("phone", _AMERICA, _judge, r"[2-9]\d\d\)?[ .\-]?[2-9]\d\d[ .\-]?\d{4}"),
    Form("phone", _INTERNATIONAL, _judge, r"\+\d"),
)
