"""Personal data in answers: e-mail addresses and phone numbers.

RE2 finds candidates in linear time; what stands beside a candidate, which RE2 cannot look at,
is checked here, so that order numbers, dates, decimals and long identifiers stay.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

import re2

Kind = Literal["email", "phone"]

REPLACEMENT: dict[Kind, str] = {"email": "[EMAIL]", "phone": "[PHONE]"}

ZERO_WIDTH = "\u200b\u200c\u200d\u2060\ufeff\u00ad"
_WIDE = {0xFF01 + i: 0x21 + i for i in range(94)}
_SPACES = dict.fromkeys(map(ord, "\u00a0\u2007\u2009\u202f\u3000"), " ")
_DASHES = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63\uff0d"), "-")
_SURROGATES = dict.fromkeys(range(0xD800, 0xE000), "\ufffd")
_PLAIN: dict[int, int | str] = {**_WIDE, **_SPACES, **_DASHES, **_SURROGATES}

_EMAIL = (
    r"[A-Za-z0-9_][A-Za-z0-9._%+\-]*@[A-Za-z0-9][A-Za-z0-9.\-]*\."
    r"(?:(?i:xn--)[A-Za-z0-9\-]*[A-Za-z0-9]|[A-Za-z]{2,})"
)
_MOBILE_CN = r"(?:\(?(?:\+|00)?86\)?[ .\-]?)?1[3-9]\d[ .\-]?\d{4}[ .\-]?\d{4}"
_NORTH_AMERICA = (
    r"\+1[ .\-]?\(?[2-9]\d{2}\)?[ .\-]?[2-9]\d{2}[ .\-]?\d{4}"
    r"|(?:1[ .\-]?)?\([2-9]\d{2}\)[ .\-]?[2-9]\d{2}[ .\-]\d{4}"
    r"|(?:1[.\-])?[2-9]\d{2}[.\-][2-9]\d{2}[.\-]\d{4}"
)
# E.164: up to 15 digits after the plus. As everywhere here, a space stands between a digit or a
# closing parenthesis and a digit or an opening one: `stream.py` counts on it.
_INTERNATIONAL = r"\+[1-9](?:(?:[ .\-]?\(|\)[ .\-]?|[ .\-])?\d){7,14}"
LONGEST_PHONE = 48
"""Characters of the longest phone number with separators and what is looked at behind it."""


def _compile() -> re2._Regexp:
    options = re2.Options()
    options.log_errors = False
    return re2.compile(f"({_EMAIL})|{_MOBILE_CN}|{_NORTH_AMERICA}|{_INTERNATIONAL}", options)


_CANDIDATE = _compile()
_DECIMAL = re.compile(r"\+\d+\.\d+")
_GROUP_END = re.compile(r"(?<=\d)[ .()\-]+\d+$")
_WORD = re.compile(r"[A-Za-z0-9]+")
_FILE_NAME = re.compile(r"@\dx\.(?:png|jpe?g|gif|svg|webp)$", re.IGNORECASE)
_LEAST_DIGITS = 8


class Match(NamedTuple):
    kind: Kind
    start: int
    end: int


def plain(text: str) -> str:
    """The text with full-width forms, odd spaces and odd dashes as ASCII, one for one."""
    return text if text.isascii() else text.translate(_PLAIN)


def find(text: str) -> list[Match]:
    """Personal data in `plain` text, in order, without overlap.

    Each step encodes the text anew, so callers hand over pieces of a few kilobytes.
    """
    if text.isascii() or not any(c in text for c in ZERO_WIDTH):
        return _find(text)
    kept = [i for i, c in enumerate(text) if c not in ZERO_WIDTH]
    visible = "".join(text[i] for i in kept)
    return [Match(m.kind, kept[m.start], kept[m.end - 1] + 1) for m in _find(visible)]


def _find(text: str) -> list[Match]:
    found: list[Match] = []
    position = 0
    while candidate := _CANDIDATE.search(text, position):
        start, end = candidate.span()
        if candidate.start(1) >= 0:
            position = end
            if _is_address(text[start:end]):
                found.append(Match("email", start, end))
        elif match := _phone(text, start, end):
            position = match.end
            found.append(match)
        else:
            position = _next_start(text, start)
    return found


def _is_address(text: str) -> bool:
    return not (text.startswith("git@") or _FILE_NAME.search(text))


def _next_start(text: str, rejected: int) -> int:
    """Where the next phone number may start: inside a word none does."""
    word = _WORD.match(text, rejected)
    return word.end() if word else rejected + 1


def _phone(text: str, start: int, end: int) -> Match | None:
    if not _may_begin(text, start):
        return None
    while not _may_end(text, end):
        shorter = _GROUP_END.search(text[start:end])
        if shorter is None:
            return None
        end = start + shorter.start()
    number = text[start:end]
    if _DECIMAL.fullmatch(number) or sum(c.isdigit() for c in number) < _LEAST_DIGITS:
        return None
    return Match("phone", start, end)


def _may_begin(text: str, start: int) -> bool:
    """False after something that makes the digits part of a longer thing."""
    if start == 0 or text[start] == "(":
        return True
    before, further = text[start - 1], text[start - 2 : start - 1]
    if before in "_#" or _is_ascii_alnum(before):
        return False
    if before in "-+":
        return not _is_ascii_alnum(further)
    if before == ".":
        return not further.isdecimal()
    return not (before == "/" and further.isascii() and further.isalpha())


def _may_end(text: str, end: int) -> bool:
    after, further = text[end : end + 1], text[end + 1 : end + 2]
    if after == "_" or _is_ascii_alnum(after):
        return False
    return not (after in {".", "-"} and further.isdecimal())


def _is_ascii_alnum(c: str) -> bool:
    return c.isascii() and c.isalnum()
