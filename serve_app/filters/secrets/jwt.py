"""JSON Web Tokens in their compact form (RFC 7519, RFC 7515), by their decoded header."""

from __future__ import annotations

import base64
import binascii

import msgspec

from serve_app.filters.shapes.form import NO, Form
from serve_app.filters.shapes.shape import BORDER, Shape, chars, text, then, times, unending

LONGEST = 8192
_PART = chars(r"A-Za-z0-9_\-")
_TOKEN: Shape = then(
    BORDER,
    text("eyJ"),
    unending(_PART, 8),
    text("."),
    unending(_PART, 4),
    text("."),
    unending(_PART, 16),
)._replace(longest=LONGEST)


class _Header(msgspec.Struct):
    alg: str


_HEADER = msgspec.json.Decoder(_Header)


def _judge(text: str, start: int, end: int) -> int:
    head = text[start : text.index(".", start)]
    try:
        _HEADER.decode(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (binascii.Error, msgspec.DecodeError, UnicodeDecodeError):
        return NO
    return end


_HEAD = then(BORDER, text("eyJ"), times(_PART, 8))
JWT = (Form("jwt", _TOKEN, _judge, r"eyJ[A-Za-z0-9_\-]{8}", behind="", head=_HEAD),)
