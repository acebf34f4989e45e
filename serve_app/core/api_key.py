"""What a key of ours looks like: made from the system's randomness, known by its SHA-256.

    sk-serve-   a fixed beginning, so that scanners of secrets find it
    43          characters of base64url (RFC 4648, 5) without padding: 32 random bytes
    6           check digits: CRC-32 of the 43 characters in base 62, as GitHub's tokens have

The check digits tell a mistyped key, or text that only looks like one, from a key that is
unknown; they prove nothing.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import zlib
from typing import Final

PREFIX: Final = "sk-serve-"
ADMIN_PREFIX: Final = "sk-serve-admin-"
_RANDOM_BYTES: Final = 32
_CHECK_CHARS: Final = 6
_DIGITS: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_ID_CHARS: Final = 12

PATTERN: Final = r"sk-serve-(?:admin-)?[A-Za-z0-9_-]{43}[A-Za-z0-9]{6}"
"""A key of ours as a regular expression, for scanners."""

_PARTS: Final = re.compile(r"sk-serve-(?:admin-)?([A-Za-z0-9_-]{43})([A-Za-z0-9]{6})")


def make(prefix: str = PREFIX) -> str:
    """A new key, with 256 random bits."""
    body = secrets.token_urlsafe(_RANDOM_BYTES)
    return f"{prefix}{body}{_check_digits(body)}"


def digest(key: str) -> bytes:
    """The 32 bytes that a key is known by; whatever text it is."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def key_id(sha256: str) -> str:
    """The short name of a key whose SHA-256 is given in hex: for lists, logs and limits."""
    return sha256[:_ID_CHARS]


def looks_like_ours(key: str) -> bool:
    return key.startswith(PREFIX)


def is_whole(key: str) -> bool:
    """Whether a text has the form of a key of ours, check digits included."""
    parts = _PARTS.fullmatch(key)
    return parts is not None and _check_digits(parts[1]) == parts[2]


def _check_digits(body: str) -> str:
    rest, digits = zlib.crc32(body.encode()), ""
    for _ in range(_CHECK_CHARS):
        rest, digit = divmod(rest, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits
