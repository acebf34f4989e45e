"""A session as a cookie's value: what it says, and a seal that nobody else can make.

BASE64URL(JSON) "." BASE64URL(HMAC-SHA256)
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

import msgspec
from msgspec import Struct

from serve_app.core.visitor import Role

MAX_CHARS: Final = 1024


class Claims(Struct, frozen=True, array_like=True):
    """What a cookie says. New fields go to the end, with a default."""

    id: str
    role: Role
    key_id: str
    ends_at: int
    """Unix seconds."""


_encode: Final = msgspec.json.Encoder().encode
_claims: Final = msgspec.json.Decoder(Claims)


def seal(claims: Claims, secret: bytes) -> str:
    """The cookie's value."""
    said = _base64(_encode(claims))
    return f"{said}.{_signed(said, secret)}"


def opened(value: str, secret: bytes) -> Claims | None:
    """What a cookie's value says; None: it is none of ours."""
    said, _, given = value.partition(".")
    if len(value) > MAX_CHARS or not value.isascii():
        return None
    if not hmac.compare_digest(_signed(said, secret), given):
        return None
    try:
        return _claims.decode(urlsafe_b64decode(said + "=" * (-len(said) % 4)))
    except (ValueError, msgspec.MsgspecError):  # sealed by another version
        return None


def csrf(session_id: str, secret: bytes) -> str:
    """What the page of a session says with each change; 64 hexadecimal digits."""
    return _mac(secret, b"csrf", session_id.encode()).hex()


def _signed(said: str, secret: bytes) -> str:
    return _base64(_mac(secret, b"session", said.encode()))


def _base64(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")


def _mac(secret: bytes, purpose: bytes, text: bytes) -> bytes:
    return hmac.digest(secret, purpose + b":" + text, hashlib.sha256)
