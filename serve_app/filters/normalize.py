"""One form for many spellings: what the input rules look at instead of the text as sent.

`fold` undoes compatibility forms (full-width, ligatures), accents, case, invisible characters,
look-alike letters, letters spaced out one by one and separators between Han characters. Where it
must be known which part of the text was found, `readings` does the same with a way back.
"""

from __future__ import annotations

import re
import unicodedata

from serve_app.filters.engine import tester

_SURROGATES = "\ud800-\udfff"
_LONE_SURROGATE = re.compile(f"[{_SURROGATES}]")
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5"
    "\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0"
    f"\ufff9-\ufffb\U000e0000-\U000e0fff{_SURROGATES}]+"
)
_ASCII_INVISIBLE = dict.fromkeys([*range(9), 0x0B, *range(0x0E, 0x1C), 0x7F])
_ACCENTS = re.compile(
    "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+"
)

_LOOK_ALIKES = {
    "a": "аɑαᴀ",
    "b": "вʙβ",
    "c": "сᴄϲ",
    "d": "ԁᴅđ",
    "e": "еεᴇɛ",
    "f": "ꜰƒ",
    "g": "ɡɢց",
    "h": "һнʜհħ",
    "i": "іıιɩɪ",
    "j": "јᴊϳ",
    "k": "кκᴋ",
    "l": "ӏʟł",
    "m": "мᴍ",
    "n": "ɴηո",
    "o": "оοօᴏøσ",
    "p": "рρᴘ",
    "q": "ԛգ",
    "r": "ʀг",
    "s": "ѕꜱ",
    "t": "тτᴛŧ",
    "u": "υսᴜ",
    "v": "ѵνᴠ",
    "w": "ԝωᴡшѡ",
    "x": "хχ",
    "y": "уүγʏ",
    "z": "ᴢ",
}
# Negative circled, negative squared and regional letters have no decomposition in Unicode.
_LETTER_SYMBOLS = (0x1F150, 0x1F170, 0x1F1E6)


def _skeleton_table() -> dict[str, str]:
    table = {odd: plain for plain, odds in _LOOK_ALIKES.items() for odd in odds}
    for first in _LETTER_SYMBOLS:
        table.update({chr(first + i): chr(ord("a") + i) for i in range(26)})
    return table


_SKELETON = str.maketrans(_skeleton_table())
# Where all of them are, as few ranges: a set of single characters takes 7 times as long.
_MAY_LOOK_ALIKE = re.compile("[\x80-\u1fff\ua730-\ua7ff\U0001f150-\U0001f1ff]+")

HAN = "\u3400-\u9fff\U00020000-\U000323af"
HAN_SEPARATORS = r" .*_·•|/\\~^+=-"
_BETWEEN_HAN = re.compile(rf"[{HAN_SEPARATORS}]{{1,3}}(?=[{HAN}])")
_IS_HAN = re.compile(f"[{HAN}]")
SEPARATORS = " ._*|~-"
"""What letters are spaced out with."""
_SPACED_SEEN = tester(r"(?:^|[^a-z0-9])[a-z](?:[ ._*|~-][a-z]){3,}(?:[^a-z0-9]|$)")
# Where one word is spaced out, so are the short ones beside it ("a l l").
_SPACED = re.compile(r"(?<![a-z0-9])[a-z](?:[ ._*|~-][a-z])+(?![a-z0-9])")
_SPACING = str.maketrans("", "", SEPARATORS)

# The commonest letters in tag characters: finding none in a text without any character of that
# size takes no time, and no sentence does without them.
_TAG_LETTERS = tuple(chr(0xE0000 + ord(c)) for c in " etaoi")
_HIDDEN_TEXT = re.compile("[\U000e0020-\U000e007e]{8,}")


def fold(text: str) -> str:
    """The text in its one form: lower case, single spaces, no disguise."""
    letters = plain_letters(text)
    if _SPACED_SEEN.Match(letters):
        letters = _SPACED.sub(lambda m: m[0].translate(_SPACING), letters)
    folded = " ".join(letters.split())
    return joined_han(folded)


def joined_han(text: str) -> str:
    """The text without separators (one to three) between Han characters."""
    return text if text.isascii() else _BETWEEN_HAN.sub(_join_han, text)


def hidden_text(text: str) -> str:
    """What is written in Unicode tag characters: invisible to people, read by models."""
    if not any(letter in text for letter in _TAG_LETTERS):
        return ""
    return "\n".join(
        "".join(chr(ord(c) - 0xE0000) for c in run[0]) for run in _HIDDEN_TEXT.finditer(text)
    )


def encodable(text: str) -> str:
    """The text without lone surrogates, which UTF-8 (and so every engine here) cannot hold."""
    return text if text.isascii() else _LONE_SURROGATE.sub("\ufffd", text)


def plain_letters(text: str) -> str:
    """The steps that look at one character (with its marks) at a time."""
    if text.isascii():
        plain = text.lower()
        return plain if plain.isprintable() else plain.translate(_ASCII_INVISIBLE)
    text = unicodedata.normalize("NFKD", _INVISIBLE.sub("", text))
    text = _ACCENTS.sub("", text).casefold()
    return _MAY_LOOK_ALIKE.sub(lambda m: m[0].translate(_SKELETON), text)


def _join_han(separator: re.Match[str]) -> str:
    before = separator.start() - 1
    joins = before >= 0 and _IS_HAN.match(separator.string, before)
    return "" if joins else separator[0]
