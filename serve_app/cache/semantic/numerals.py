"""Chinese numerals as digits, where they count something: 三天 is 3天, 十五号 is 15号."""

from __future__ import annotations

import re

_DIGITS = {sign: value for value, sign in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
_TENS = {"十": 10, "百": 100, "千": 1000}
_SCALES = {"万": 10**4, "亿": 10**8}

_COUNTED = (
    "天日号周月年个岁点时分秒块元角米斤克升度次件张条台人位页章节期楼层环季代万亿公里千小英美半平倍折成"
)  # fmt: skip

_NUMBER = re.compile(f"[零〇一二两三四五六七八九十百千万亿]+(?=[{_COUNTED}%])")

_NOT_COUNTED = re.compile("一(?=[个下些点时])")
"""一个, 一下, 一些 count nothing."""


def in_digits(text: str) -> str:
    """The text with its counted numerals in digits."""
    return _NUMBER.sub(_written, text)


def _written(found: re.Match[str]) -> str:
    text = found[0]
    if text == "一" and _NOT_COUNTED.match(found.string, found.start()):
        return text
    if all(sign in _DIGITS for sign in text):
        return "".join(str(_DIGITS[sign]) for sign in text)  # 二零二四年
    return str(_value(text))


def _value(text: str) -> int:
    total = section = digit = 0
    for sign in text:
        if sign in _DIGITS:
            digit = _DIGITS[sign]
        elif sign in _TENS:
            section += (digit or 1) * _TENS[sign]
            digit = 0
        else:
            total = (total + section + digit or 1) * _SCALES[sign]
            section = digit = 0
    return total + section + digit
