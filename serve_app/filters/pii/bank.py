"""Numbers of payment cards (ISO/IEC 7812) and bank accounts (IBAN, ISO 13616)."""

from __future__ import annotations

import re

from serve_app.filters.pii.checksums import luhn, mod_97
from serve_app.filters.shapes.form import NO, Form
from serve_app.filters.shapes.neighbours import begins_alone, ends_alone
from serve_app.filters.shapes.shape import BORDER, any_of, chars, digits, maybe, text, then, times

_SEP = maybe(chars(r" \-"))
# Contiguous or in groups of four; 4-6-5 and 4-6-4 (American Express, Diners Club); the six digits
# of the issuer and the rest.
_CARD = any_of(
    then(
        BORDER, chars("2-69"), digits(3), _SEP, digits(4), _SEP, digits(4), _SEP, digits(1, 4),
        maybe(then(_SEP, digits(1, 3))),
    ),
    then(BORDER, text("3"), digits(3), chars(r" \-"), digits(6), chars(r" \-"), digits(4, 5)),
    then(BORDER, chars("4-69"), digits(5), chars(r" \-"), digits(7, 13)),
)  # fmt: skip
# First digits and lengths of issuers, after their own published ranges.
_ISSUERS = re.compile(
    r"62\d{14,17}|81\d{14}"  # UnionPay
    r"|4(?:\d{12}|\d{15}|\d{18})"  # Visa
    r"|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|6(?:011|4[4-9]\d|5\d\d)\d{12,15}"  # Discover
    r"|35(?:2[89]|[3-8]\d)\d{12,15}"  # JCB
    r"|3(?:0[0-5]|095|[689]\d)\d{11,16}"  # Diners Club
    r"|220[0-4]\d{12,15}"  # Mir
    r"|(?:5018|5020|5038|5[678]\d\d|6304|6759|676[1-3])\d{9,15}"  # Maestro
    r"|(?:508|60|65)\d{13,14}"  # RuPay
    r"|(?:95588|9559\d|6(?:0|8|9)\d{3})\d{11,14}"  # Chinese debit cards of before UnionPay
)
_GROUP_END = re.compile(r"[ \-]\d+$")
_GROUPS = str.maketrans("", "", " -")


def _judge_card(text: str, start: int, end: int) -> int:
    """The longest that stands on its own; what follows a space may be a security code or date."""
    if not begins_alone(text, start):
        return NO
    while not (ends_alone(text, end) and _is_card(text[start:end])):
        shorter = _GROUP_END.search(text[start:end])
        if shorter is None or _is_long_card(text[start:end]):
            return NO
        end = start + shorter.start()
    return end


def _is_card(candidate: str) -> bool:
    number = candidate.translate(_GROUPS)
    return _ISSUERS.fullmatch(number) is not None and luhn(number)


def _is_long_card(candidate: str) -> bool:
    """True for 19 digits of an issuer that has such numbers: no shorter one is meant."""
    number = candidate.translate(_GROUPS)
    return len(number) == 19 and number.startswith("62")


CARD = (Form("card", _CARD, _judge_card, r"[2-69]\d{3}[ \-]?\d{4}|\d{4,6}[ \-]\d{6}"),)

# The IBAN registry of SWIFT: characters of an account number, by country.
_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22,
    "BI": 27, "BR": 29, "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27,
    "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27,
    "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HN": 28, "HR": 21, "HU": 28,
    "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28,
    "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22,
    "MK": 19, "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23,
    "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24,
    "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "SO": 23, "ST": 25, "SV": 28,
    "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20, "YE": 30,
}  # fmt: skip
_IBAN = then(
    BORDER,
    times(chars("A-Za-z"), 2),
    digits(2),
    times(then(_SEP, times(chars("A-Za-z0-9"), 4)), 2, 7),
    maybe(then(_SEP, times(chars("A-Za-z0-9"), 1, 3))),
)


def _judge_iban(text: str, start: int, end: int) -> int:
    length = _LENGTHS.get(text[start : start + 2].upper())
    if length is None or not begins_alone(text, start):
        return NO
    stop = _after(text, start, end, length)
    if stop == NO or not ends_alone(text, stop):
        return NO
    return stop if mod_97(text[start:stop].translate(_GROUPS)) else NO


def _after(text: str, start: int, end: int, length: int) -> int:
    """Where so many letters and digits from `start` on end."""
    for place in range(start, end):
        length -= text[place] not in " -"
        if not length:
            return place + 1
    return NO


IBAN = (Form("iban", _IBAN, _judge_iban, r"[A-Za-z]{2}\d\d[ \-]?[A-Za-z0-9]{4}"),)
