"""Sealing: what conversations leave in Redis, encrypted with AES-256-GCM (NIST SP 800-38D).

    sealed = id of the key (4 bytes) + nonce (12) + ciphertext + tag (16)

The place where a value is kept goes in as associated data, so that a value that was moved to
another session or tenant does not open. Nonces are random: one key is good for 2^32 values.
"""

from __future__ import annotations

import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from serve_app.config.paths import SESSION_KEY
from serve_app.core.errors import PolicyRejected

OVERHEAD_BYTES: Final = 32
"""A sealed value is so much longer than a plain one."""

_MIN_KEY_CHARS: Final = 16
_ID_BYTES: Final = 4
_NONCE_BYTES: Final = 12
_KEY_BYTES: Final = 32


class Seals:
    """Seals with the first of some keys; opens what any of them sealed.

    To change the key, put the new one first and leave the old one behind it until what it sealed
    is over.

    Args:
        secrets_: secret texts, separated by commas; empty: nothing can be sealed or opened.

    Raises:
        PolicyRejected: one is too short to keep anything.
    """

    def __init__(self, secrets_: str = "") -> None:
        texts = [text for part in secrets_.split(",") if (text := part.strip())]
        if any(len(text) < _MIN_KEY_CHARS for text in texts):
            raise PolicyRejected(
                f"{SESSION_KEY}: a key must have at least {_MIN_KEY_CHARS} characters"
            )
        keys = [_derived(text) for text in texts]
        self._first = keys[0] if keys else None
        self._ciphers = dict(reversed(keys))

    @property
    def can_seal(self) -> bool:
        return self._first is not None

    def seal(self, plain: bytes, place: str) -> bytes:
        """A value, to be kept at a place (its key in Redis)."""
        assert self._first is not None, "there is a key"
        key_id, cipher = self._first
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return key_id + nonce + cipher.encrypt(nonce, plain, place.encode())

    def open(self, sealed: bytes, place: str) -> bytes | None:
        """The value that was sealed for this place; None if no key of ours did that."""
        cipher = self._ciphers.get(sealed[:_ID_BYTES])
        if cipher is None:
            return None
        nonce_end = _ID_BYTES + _NONCE_BYTES
        try:
            return cipher.decrypt(sealed[_ID_BYTES:nonce_end], sealed[nonce_end:], place.encode())
        except (InvalidTag, ValueError):
            return None


def _derived(text: str) -> tuple[bytes, AESGCM]:
    """A key's id and its cipher (RFC 5869)."""
    hkdf = HKDF(
        algorithm=SHA256(), length=_ID_BYTES + _KEY_BYTES, salt=None, info=b"serve-app sessions"
    )
    made = hkdf.derive(text.encode())
    return made[:_ID_BYTES], AESGCM(made[_ID_BYTES:])
