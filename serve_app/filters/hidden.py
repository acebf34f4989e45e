"""What a text hides from people and shows to models: encodings, mark-up, reversed letters.

`layers` gives each as a text of its own, at most two deep (Base64 in a URL in a comment is not
unheard of). All is linear: each decoder reads a text once, and what is decoded in all is bounded
by a small multiple of what came.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import html
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple
from urllib.parse import unquote

from serve_app.filters.engine import compiled, tester
from serve_app.filters.normalize import encodable, fold, hidden_text

_DEPTH = 2
_MOST_LAYERS = 64
_MOST_RUNS = 256
"""Encoded runs that are looked at in one text."""
_LONGEST_RUN = 16_384
_BUDGET, _BUDGET_TIMES = 16_384, 4
"""Characters that are decoded in all: so many and so many times those of the text."""
_SHORTEST = 8
"""Characters of a decoded text that may say something."""

_ENTITY = compiled(r"&(?:#[0-9]{2,7}|#[xX][0-9a-fA-F]{2,6}|lt|gt|quot|amp|apos|nbsp);")
_PERCENT = compiled("%[0-9a-fA-F]{2}")
_ESCAPE = compiled(r"\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|\\u\{[0-9a-fA-F]{1,6}\}")
_ESCAPED = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|u\{([0-9a-fA-F]{1,6})\})")
_RUN_OF_BASE64 = r"[A-Za-z0-9+/_-]{16,}={0,2}"
_BASE64 = compiled(_RUN_OF_BASE64)
_LINE_BREAK = re.compile(r"=?[ \t]{0,4}\r?\n[ \t>*#|]{0,8}\Z")
_RUN_OF_HEX = r"(?:(?:0x|\\x)?[0-9a-fA-F]{2}[ ,:]?){10,}"
_HEX = compiled(_RUN_OF_HEX)
_BASE64_AT, _HEX_AT = 0, 1
_ENCODED = tester(_RUN_OF_BASE64, _RUN_OF_HEX)
_HEX_DIGITS = re.compile(r"0x|\\x|[ ,:]")
_COMMENT = compiled(r"<!--(?:[^-]|-[^-])+-->|/\*(?:[^*]|\*[^/])+\*/|\[//\]: ?# ?\(([^)\n]+)\)")
_ATTRIBUTE = compiled(
    r"<[a-z][^<>]*?\b(?:alt|title|aria-label|content|placeholder|data-[a-z-]+)"
    r"""\s?=\s?(?:"([^"<>]+)"|'([^'<>]+)')""",
    ignore_case=True,
)
_UNSEEN = compiled(
    r"<[a-z][^<>]*?(?:display: ?none|visibility: ?hidden|font-size: ?0|opacity: ?0(?:[;\"']|\.0)"
    r"|color: ?(?:white|#fff)|left: ?-\d{3,}|aria-hidden=|\bhidden\b)[^<>]*>([^<>]+)",
    ignore_case=True,
)
_TAG = compiled(r"</?[a-zA-Z][^<>]*>")
_LEET_WORD = r"\b[a-z]{0,8}(?:[013457@$]{1,2}[a-z]{1,8}){1,4}[013457]?\b"
_LEET = compiled(_LEET_WORD)
_LEET_NEAR = 80
"""Four words of letters and digits within so many characters are no accident."""
_LEET_LETTERS = str.maketrans("013457@$", "oieastas")
_REVERSED = (
    r"snoitcurtsni|tpmorp metsys|erongi|dragersid|\bsuoiverp|edirrevo|laever|selur ruoy"
    r"|令指|词示提|略忽|视无"
)
_ROT13 = r"\b(?:vafgehpgvba|cebzcg|vtaber|qvfertneq|sbetrg|erirny|flfgrz|birevq)"
_REVERSED_AT, _ROT13_AT, _LEET_AT = 0, 1, 2
_DISGUISED = tester(_REVERSED, _ROT13, _LEET_WORD)
_CJK = compiled("[\u4e00-\u9fff]")


class Layer(NamedTuple):
    """A text that was hidden in another one."""

    kind: str
    text: str
    weight: float
    """What hiding it counts, beside what it says."""
    weight_in_data: float
    form: Literal["decoded", "as_sent", "folded"] = "decoded"
    """`as_sent`: its letters stand in the outer text as well, where decoders saw them; `folded`:
    it was made of folded text."""


def layers(text: str, folded: str) -> Iterator[Layer]:
    """The texts hidden in `text`, whose `fold` is `folded`; those inside of them as well."""
    budget = _BUDGET + _BUDGET_TIMES * len(text)
    waiting = [(text, folded, 1)]
    count = 0
    while waiting:
        inner, inner_folded, depth = waiting.pop()
        for layer in _layers(inner, inner_folded):
            budget -= len(layer.text)
            count += 1
            if budget < 0 or count > _MOST_LAYERS:
                return
            yield layer
            if depth < _DEPTH and layer.form == "decoded":
                waiting.append((layer.text, fold(layer.text), depth + 1))


def _layers(text: str, folded: str) -> Iterator[Layer]:
    if tagged := hidden_text(text):
        yield Layer("tags", tagged, 0.5, 0.6)
    text = encodable(text)
    for kind, found in (
        ("entities", _entities(text)),
        ("url", _percent(text)),
        ("escapes", _escapes(text)),
    ):
        if found:
            yield Layer(kind, found, 0.3, 0.4)
    if disguises := _DISGUISED.Match(folded):
        for kind, found in (
            ("reversed", folded[::-1] if _REVERSED_AT in disguises else ""),
            ("rot13", codecs.encode(folded, "rot13") if _ROT13_AT in disguises else ""),
            ("leet", _leet(folded) if _LEET_AT in disguises else ""),
        ):
            if found:
                yield Layer(kind, found, 0.3, 0.4, "folded")
    if (forms := _ENCODED.Match(text)) and (runs := "\n".join(_encoded(text, forms))):
        yield Layer("encoded", runs, 0.5, 0.5)
    if unseen := "\n".join(_unseen(text)):
        yield Layer("markup", unseen, 0.1, 0.4, "as_sent")
    if "<" in text and _TAG.search(text):
        yield Layer("tagged", _TAG.sub("", text), 0.0, 0.0, "as_sent")


def _entities(text: str) -> str:
    return html.unescape(text) if "&" in text and _ENTITY.search(text) else ""


def _percent(text: str) -> str:
    return unquote(text) if text.count("%") > 2 and _PERCENT.search(text) else ""


def _escapes(text: str) -> str:
    if "\\" not in text or not _ESCAPE.search(text):
        return ""
    return encodable(_ESCAPED.sub(_character, text))


def _character(escape: re.Match[str]) -> str:
    code = int(escape[1] or escape[2] or escape[3], 16)
    return chr(code) if code < 0x110000 else "\ufffd"


def _leet(folded: str) -> str:
    places: list[int] = []
    for _, word in zip(range(_MOST_RUNS), _LEET.finditer(folded), strict=False):
        places.append(word.start())
        if len(places) >= 4 and places[-1] - places[-4] < _LEET_NEAR:
            return folded.translate(_LEET_LETTERS)
    return ""


def _encoded(text: str, forms: Sequence[int]) -> Iterator[str]:
    """Base64 and hexadecimal runs that are text, decoded; `forms` says which of them there are."""
    if _BASE64_AT in forms:
        for run in _joined_runs(text):
            if decoded := _base64(run):
                yield decoded
    if _HEX_AT in forms:
        for _, hexes in zip(range(_MOST_RUNS), _HEX.finditer(text), strict=False):
            if decoded := _hex(hexes[0]):
                yield decoded


def _joined_runs(text: str) -> Iterator[str]:
    """Runs that may be Base64; those that only a line break parts, as one."""
    joined, end = "", 0
    for _, run in zip(range(_MOST_RUNS), _BASE64.finditer(text), strict=False):
        start, stop = run.span()
        if joined and start - end <= 16 and _LINE_BREAK.fullmatch(text, end, start):
            joined += run[0]
        else:
            if joined:
                yield joined
            joined = run[0]
        end = stop
    if joined:
        yield joined


def _base64(run: str) -> str:
    """The text that `run` is Base64 of; empty if it is not Base64 of text."""
    if run == run.lower():  # a long word, a path: encoded text has letters of both cases
        return ""
    run = run[:_LONGEST_RUN].translate(_URL_SAFE).rstrip("=")
    if len(run) % 4 == 1:
        run = run[:-1]
    return _as_text(_attempt(lambda: base64.b64decode(run + "=" * (-len(run) % 4))))


_URL_SAFE = str.maketrans("-_", "+/")


def _hex(run: str) -> str:
    digits = _HEX_DIGITS.sub("", run[:_LONGEST_RUN])
    return _as_text(_attempt(lambda: bytes.fromhex(digits[: len(digits) // 2 * 2])))


def _attempt(decode: Callable[[], bytes]) -> bytes:
    try:
        return decode()
    except (binascii.Error, ValueError):
        return b""


def _as_text(content: bytes) -> str:
    """The beginning of `content` that is text: a run may be cut, or have other things behind."""
    text = content.decode("utf-8", "replace").split("\ufffd", 1)[0]
    if len(text) < _SHORTEST and not (len(text) >= _SHORTEST // 2 and _CJK.search(text)):
        return ""
    printable = sum(c.isprintable() or c.isspace() for c in text[:256])
    return text if printable >= 0.95 * len(text[:256]) else ""


def _unseen(text: str) -> Iterator[str]:
    """What HTML and comments hold that a reader of the page does not see."""
    if not ("<" in text or "/*" in text or "[//]" in text):
        return
    for pattern in (_COMMENT, _ATTRIBUTE, _UNSEEN):
        for _, found in zip(range(_MOST_RUNS), pattern.finditer(text), strict=False):
            yield next((group for group in found.groups() if group), found[0])
