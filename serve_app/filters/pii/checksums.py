"""Check digits: a number with a wrong one is no card, no account and no identity card."""

from __future__ import annotations

from datetime import date

_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECKS = "10X98765432"
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def luhn(number: str) -> bool:
    """ISO/IEC 7812-1, annex B, over ASCII digits."""
    values = list(map(int, number))
    return (sum(values[-1::-2]) + sum(_DOUBLED[v] for v in values[-2::-2])) % 10 == 0


def mod_11_2(number: str) -> bool:
    """ISO 7064 MOD 11-2 as GB 11643-1999 has it, over 17 digits and a digit or `X`."""
    total = sum(w * int(d) for w, d in zip(_ID_WEIGHTS, number[:17], strict=True))
    return _ID_CHECKS[total % 11] == number[17].upper()


def mod_97(account: str) -> bool:
    """ISO 7064 MOD 97-10 as ISO 13616 has it, over ASCII letters and digits."""
    turned = account[4:] + account[:4]
    return int("".join(str(int(c, 36)) for c in turned)) % 97 == 1


def is_date(year: str, month: str, day: str) -> bool:
    """True for a day of the calendar."""
    try:
        date(int(year), int(month), int(day))
    except ValueError:
        return False
    return True
