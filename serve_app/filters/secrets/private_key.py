"""Private keys in the textual encoding of RFC 7468 (PEM), of OpenSSH and of OpenPGP (RFC 9580).

Also as JSON and source code have them, with `\\n` between the lines, and without their end, where
an answer was cut off.
"""

from __future__ import annotations

from serve_app.filters.shapes.form import NO, Form
from serve_app.filters.shapes.shape import Shape, any_of, chars, maybe, text, then, times, unending

LONGEST = 8192
"""Characters of a key with its two marks; RSA keys of 4096 bits take 3300."""
_LEAST = 66
_WORD = chars("A-Za-z0-9+/=")
_SIGN = any_of(then(text("\\"), chars("nr")), chars(r"\s\x22'+,\\>|*#"))
_SIGNS = maybe(unending(_SIGN, 1))
_NAME = times(chars("A-Z0-9 "), 0, 30)
_MARK_END = then(text("PRIVATE KEY"), maybe(text(" BLOCK")), text("-----"))
_FIRST = then(text("-----BEGIN "), _NAME, _MARK_END)
_LAST = then(text("-----END "), _NAME, _MARK_END)
# `Proc-Type: 4,ENCRYPTED`, `Version: GnuPG v2`
_HEADER = then(
    chars("A-Z"),
    times(chars(r"A-Za-z\-"), 1, 30),
    text(": "),
    times(chars(r" !-\[\]-~"), 1, 100),
    _SIGN,
)
_HEADERS = maybe(unending(any_of(_SIGN, _HEADER), 1))
_LINES = maybe(unending(then(unending(_WORD, 16), unending(_SIGN, 1))))
_BODY = then(_HEADERS, _LINES, maybe(unending(_WORD, 1)), _SIGNS, maybe(then(unending(_WORD, 1),
             _SIGNS)))  # fmt: skip
_WHOLE_KEY = then(_FIRST, _BODY, _LAST)
_CUT_KEY = then(
    _FIRST,
    _HEADERS,
    unending(_WORD, 40),
    maybe(unending(then(unending(_SIGN, 1), unending(_WORD, 16)))),
)
_KEY: Shape = any_of(_WHOLE_KEY, _CUT_KEY)._replace(longest=LONGEST)


def _judge(text: str, start: int, end: int) -> int:
    """Not the bare marks, which is how documents speak of keys."""
    return end if end - start >= _LEAST else NO


PRIVATE_KEY = (
    Form("private_key", _KEY, _judge, "-----BEGIN [A-Z0-9 ]*PRIVATE", behind="", head=_FIRST),
)
