"""Numbers of a question with their units, each in one form: `two weeks`, `14 days`, `14-day`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from typing import Final, NamedTuple

from serve_app.cache.semantic.words import Word

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_SMALL: Final = {
    **{word: value for value, word in enumerate(_ONES)},
    **{word: 20 + 10 * at for at, word in enumerate(_TENS)},
}
_SCALES: Final = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}
_SPECIAL: Final = {"half": Fraction(1, 2), "quarter": Fraction(1, 4), "dozen": Fraction(12)}

_UNITS: Final = {
    "second": ("second", 1), "minut": ("second", 60), "hour": ("second", 3600),
    "day": ("day", 1), "week": ("day", 7), "fortnight": ("day", 14),
    "month": ("month", 1), "year": ("month", 12), "yearold": ("month", 12),
    "decad": ("month", 120), "centuri": ("month", 1200),
    "mg": ("mg", 1), "g": ("mg", 1000), "gram": ("mg", 1000), "kg": ("mg", 10**6),
    "kilo": ("mg", 10**6), "kilogram": ("mg", 10**6),
    "mm": ("mm", 1), "cm": ("mm", 10), "m": ("m", 1), "metr": ("mm", 1000),
    "meter": ("mm", 1000), "km": ("mm", 10**6), "kilomet": ("mm", 10**6),
    "kilometr": ("mm", 10**6),
    "ml": ("ml", 1), "l": ("ml", 1000), "litr": ("ml", 1000), "liter": ("ml", 1000),
    "kb": ("byte", 10**3), "mb": ("byte", 10**6), "gb": ("byte", 10**9), "tb": ("byte", 10**12),
    "gigabyt": ("byte", 10**9), "megabyt": ("byte", 10**6), "terabyt": ("byte", 10**12),
    "%": ("%", 1), "percent": ("%", 1), "per cent": ("%", 1),
    "$": ("usd", 1), "usd": ("usd", 1), "dollar": ("usd", 1), "buck": ("usd", 1),
    "£": ("gbp", 1), "gbp": ("gbp", 1), "pound": ("gbp", 1), "quid": ("gbp", 1),
    "€": ("eur", 1), "eur": ("eur", 1), "euro": ("eur", 1),
    "¥": ("yen", 1), "yen": ("yen", 1), "rmb": ("cny", 1), "cny": ("cny", 1), "yuan": ("cny", 1),
    "元": ("cny", 1), "块": ("cny", 1), "天": ("day", 1), "日": ("day", 1), "周": ("day", 7),
    "星期": ("day", 7), "个月": ("month", 1), "月": ("date", 1), "年": ("month", 12),
    "小时": ("second", 3600), "分钟": ("second", 60), "秒": ("second", 1), "点": ("clock", 60),
    "公里": ("mm", 10**6), "千米": ("mm", 10**6), "米": ("mm", 1000), "斤": ("mg", 500 * 10**3),
    "公斤": ("mg", 10**6), "克": ("mg", 1000), "岁": ("month", 12), "度": ("度", 1),
}  # fmt: skip
"""Stem of a unit to what it measures and how many of it one is. Pounds are money: their weight has
no other number in common with it."""

_CURRENCIES: Final = frozenset("$£€¥")

_NUMBER = re.compile(r"\d+(?:[.,:/]\d+)*")


class Quantity(NamedTuple):
    """A number and what it counts; `unit` is empty for a bare one."""

    value: Fraction | str
    unit: str


def split_quantities(words: Sequence[Word]) -> tuple[list[Quantity], list[Word]]:
    """The quantities of a question in order, and its other words."""
    return _Splitter(words).run()


class _Splitter:
    def __init__(self, words: Sequence[Word]) -> None:
        self._words = words
        self._at = 0
        self._quantities: list[Quantity] = []
        self._others: list[Word] = []

    def run(self) -> tuple[list[Quantity], list[Word]]:
        while self._at < len(self._words):
            word = self._words[self._at]
            if _NUMBER.fullmatch(word.text):
                self._at += 1
                self._digits(word.text)
            elif self._begins_number(word.text):
                self._spelled()
            else:
                self._others.append(word)
                self._at += 1
        return self._quantities, self._others

    def _begins_number(self, text: str) -> bool:
        """`three`, `a hundred`, `a dozen`; not `half`, which may be anything."""
        if text in _SMALL:
            return True
        is_scale = text in _SCALES or text == "dozen"
        return is_scale and bool(self._others) and self._others[-1].text in ("a", "one")

    def _digits(self, text: str) -> None:
        if ":" in text:
            self._clock(text)
            return
        plain = text.replace(",", "") if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", text) else text
        if not re.fullmatch(r"\d+(\.\d+)?", plain) or _is_version(plain):
            self._add(plain, "")  # a version, a date, a ratio: as it stands
            return
        self._counted(Fraction(plain))

    def _clock(self, text: str) -> None:
        parts = text.split(":")
        if len(parts) != 2 or not (int(parts[0]) < 25 and int(parts[1]) < 60):
            self._add(text, "")
            return
        self._add(self._of_day(Fraction(int(parts[0]) * 60 + int(parts[1]))), "clock")

    def _of_day(self, minutes: Fraction) -> Fraction:
        half = self._half_of_day()
        hour = minutes // 60
        if half == "pm" and hour < 12:
            return minutes + 720
        if half == "am" and hour == 12:
            return minutes - 720
        return minutes

    def _half_of_day(self) -> str:
        """am, pm or nothing, as the next words say, which are then read."""
        ahead = [word.text for word in self._words[self._at : self._at + 3]]
        for phrase, half in _HALVES:
            if ahead[: len(phrase)] == list(phrase):
                self._at += len(phrase)
                return half
        return ""

    def _is_hour(self) -> bool:
        before = self._at
        if self._ahead("o'clock", "oclock"):
            self._at += 1
            return True
        found = bool(self._half_of_day())
        self._at = before
        return found

    def _spelled(self) -> None:
        """`twenty three`, `two hundred and fifty thousand`, `a dozen`."""
        total, current = Fraction(0), Fraction(0)
        first = self._at
        while self._at < len(self._words):
            text = self._words[self._at].text
            if text in _SMALL:
                if self._at > first and not _goes_on(current, _SMALL[text]):
                    break
                current += _SMALL[text]
            elif text in _SPECIAL:
                current = (current or Fraction(1)) * _SPECIAL[text]
            elif text in _SCALES:
                current = (current or Fraction(1)) * _SCALES[text]
                if _SCALES[text] > 100:
                    total, current = total + current, Fraction(0)
            elif not (text == "and" and current % 100 == 0 and self._at > first and self._more()):
                break
            self._at += 1
        value = total + current
        if value == 1 and self._at == first + 1:
            self._others.append(self._words[first])  # `the right one`, `one day`: a day
        else:
            self._counted(value)

    def _more(self) -> bool:
        after = self._words[self._at + 1 : self._at + 2]
        return bool(after) and after[0].text in _SMALL

    def _unit_ahead(self) -> tuple[str, int] | None:
        ahead = self._words[self._at : self._at + 1]
        return _UNITS.get(ahead[0].stem) if ahead else None

    def _counted(self, value: Fraction) -> None:
        """A number with the unit before or after it."""
        if self._others and self._others[-1].text in _CURRENCIES:
            currency = _UNITS[self._others.pop().text][0]
            self._add(self._scaled(value), currency)
            return
        value = self._scaled(value)
        while self._ahead("-"):
            self._at += 1
        if 0 < value < 25 and value.denominator == 1 and self._is_hour():
            self._add(self._of_day(value * 60), "clock")
            return
        unit = self._unit_ahead()
        if unit is None:
            self._add(value, "")
            return
        self._at += 1
        if self._ahead("old"):
            self._at += 1
        self._add(value * unit[1], unit[0])

    def _scaled(self, value: Fraction) -> Fraction:
        """With `k`, `million` and the like after it."""
        ahead = self._words[self._at].text if self._at < len(self._words) else ""
        scale = {"k": 1000, "m": 10**6, "bn": 10**9, "万": 10**4, "亿": 10**8, **_SCALES}.get(ahead)
        if scale is None or (ahead == "m" and not self._after_currency()):
            return value
        self._at += 1
        return value * scale

    def _after_currency(self) -> bool:
        return bool(self._others) and self._others[-1].text in _CURRENCIES

    def _ahead(self, *texts: str) -> bool:
        return self._at < len(self._words) and self._words[self._at].text in texts

    def _add(self, value: Fraction | str, unit: str) -> None:
        self._quantities.append(Quantity(value, unit))


_HALVES: Final = (
    (("am",), "am"), (("a", "m"), "am"), (("in", "the", "morning"), "am"), (("pm",), "pm"),
    (("p", "m"), "pm"), (("in", "the", "afternoon"), "pm"), (("in", "the", "evening"), "pm"),
    (("at", "night"), "pm"), (("noon",), "pm"),
)  # fmt: skip


def _goes_on(current: Fraction, value: int) -> bool:
    """`twenty three`, `hundred five`; not `five six`."""
    if value < 10:
        return current >= 20 and current % 10 == 0
    return current >= 100 and current % 100 == 0


def _is_version(text: str) -> bool:
    """`3.10` is not 3.1."""
    return "." in text and text.endswith("0")
