"""Identity numbers of the state: Chinese resident ID, US social security number, passports."""

from __future__ import annotations

import re

from serve_app.filters.pii.checksums import is_date, mod_11_2
from serve_app.filters.pii.cue import cue_before
from serve_app.filters.shapes.form import NO, Form
from serve_app.filters.shapes.neighbours import begins_alone, ends_alone
from serve_app.filters.shapes.shape import (
    BORDER,
    any_of,
    chars,
    digits,
    maybe,
    text,
    then,
    times,
)

_SEP = maybe(chars(r" \-"))

# GB/T 2260: codes of provinces, by their first two digits; 91 is for foreigners (GB 11643).
_PROVINCES = frozenset(
    "11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 61 62 63 64 65"
    " 71 81 82 83 91".split()
)
_MONTH_AND_DAY = then(chars("01"), chars("0-9"), chars("0-3"), chars("0-9"))
_ID_18 = then(
    BORDER,
    chars("1-9"),
    digits(5),
    _SEP,
    any_of(text("18"), text("19"), text("20")),
    digits(2),
    _MONTH_AND_DAY,
    _SEP,
    digits(3),
    chars("0-9Xx"),
)
_ID_15 = then(BORDER, chars("1-9"), digits(7), _MONTH_AND_DAY, digits(3))


def _judge_id_18(text: str, start: int, end: int) -> int:
    number = text[start:end].replace(" ", "").replace("-", "")
    good = (
        number[:2] in _PROVINCES
        and is_date(number[6:10], number[10:12], number[12:14])
        and mod_11_2(number)
        and _stands_alone(text, start, end)
    )
    return end if good else NO


def _judge_id_15(text: str, start: int, end: int) -> int:
    """The form of before 1999, which has no check digit: years of the 20th century."""
    number = text[start:end]
    good = (
        number[:2] in _PROVINCES
        and is_date("19" + number[6:8], number[8:10], number[10:12])
        and _stands_alone(text, start, end)
    )
    return end if good else NO


CN_ID = (
    Form("cn_id", _ID_18, _judge_id_18, r"\d{6}[ \-]?(?:18|19|20)\d{6}"),
    Form("cn_id", _ID_15, _judge_id_15, r"\d{15}"),
)

_SSN = then(BORDER, chars("0-8"), digits(2), _SEP, digits(2), _SEP, digits(4))
_SSN_PARTS = re.compile(r"(\d{3})([ \-]?)(\d{2})\2(\d{4})")
_SSN_CUE = re.compile(r"(?i:(?<![a-z])ssns?(?![a-z])|social[ -]security|社会安全|社安)\D{0,24}$")
_IN_A_ROW_BEFORE = re.compile(r"\d[ \-]$")
_ADVERTISED = frozenset({"078051120", "219099999"})
"""Numbers that the Social Security Administration has void because advertisements showed them."""


def _judge_ssn(text: str, start: int, end: int) -> int:
    """Rules of the Social Security Administration since 2011: no area 000, 666 or 9xx, no group
    00, no serial 0000."""
    parts = _SSN_PARTS.fullmatch(text[start:end])
    if not parts or not _stands_alone(text, start, end):
        return NO
    area, sep, group, serial = parts.groups()
    if area in {"000", "666"} or group == "00" or serial == "0000":
        return NO
    if area + group + serial in _ADVERTISED:
        return NO
    if sep == "-":
        return end
    if sep == " " and not _in_a_row(text, start, end):
        return end
    return end if cue_before(_SSN_CUE, text, start) else NO


def _in_a_row(text: str, start: int, end: int) -> bool:
    """True for numbers with further ones beside them, as in a table."""
    after = text[end : end + 2]
    return bool(_IN_A_ROW_BEFORE.search(text[max(0, start - 2) : start])) or (
        after[:1] == " " and after[1:].isdigit()
    )


US_SSN = (Form("us_ssn", _SSN, _judge_ssn, r"\d{3}[ \-]?\d{2}[ \-]?\d{4}", behind=r".\- "),)

# Letters and digits as the issuing countries print them (ICAO Doc 9303 has nine characters).
_PASSPORTS = re.compile(
    r"(?:[EGDSPHM]|E[A-HJ-NP-Z]|[DSP]E)\d{7,8}"  # China, with the travel permits
    r"|[A-Z]\d{7,8}|\d{9}"  # United States, India; United Kingdom
    r"|[CFGHJK][CFGHJKLMNPRTVWXYZ0-9]{8}"  # Germany
    r"|\d{2}[A-Z]{2}\d{5}"  # France
    r"|[A-Z]{2}\d{6,7}|[A-Z]{3}\d{6}"  # Italy, Poland, Japan, Canada; Spain
    r"|[A-NP-Z]{2}[A-NP-Z0-9]{6}\d",  # Netherlands
    re.IGNORECASE,
)
_PASSPORT = then(BORDER, times(chars("A-Za-z0-9"), 8, 10))
_PASSPORT_CUE = re.compile(
    r"(?i:passports?|passeport|pasaporte|passaporto|reisepass|paspoort|护照|護照|通行证)"
    r"(?:[^0-9.!?。！？；;\n]|(?i:no|nr|num)\.){0,24}$"
)
_LEAST_DIGITS = 3


def _judge_passport(text: str, start: int, end: int) -> int:
    number = text[start:end]
    good = (
        sum(c.isdigit() for c in number) >= _LEAST_DIGITS
        and _PASSPORTS.fullmatch(number)
        and _stands_alone(text, start, end)
        and cue_before(_PASSPORT_CUE, text, start)
    )
    return end if good else NO


PASSPORT = (Form("passport", _PASSPORT, _judge_passport, r"[0-9]{3}|[0-9][A-Za-z]"),)


def _stands_alone(text: str, start: int, end: int) -> bool:
    return begins_alone(text, start) and ends_alone(text, end)
