"""What the placeholders of a conversation stand for, encrypted beside it in Redis.

A session's history holds placeholders (`<EMAIL_1>`) where the policy redacts reversibly. So that
a later turn can give the caller the real values back, and goes on numbering, the pairs of each
turn are kept as long as the session, encrypted with AES-256-GCM (NIST SP 800-38D). Without a key
none are kept: then numbering begins anew with each turn, and what stands in the history as a
placeholder stays one.
"""

from __future__ import annotations

import logging
import secrets
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from serve_app.config.paths import SESSION_KEY
from serve_app.config.structure import ConversationSettings
from serve_app.core.errors import PolicyRejected
from serve_app.core.types import Names
from serve_app.store import keys
from serve_app.store.client import Store
from serve_app.store.errors import StoreUnavailable

log = logging.getLogger(__name__)

_MIN_KEY_CHARS: Final = 16
_NONCE_BYTES: Final = 12
_MAX_BYTES: Final = 1 << 18
"""Of one turn's pairs; more are not kept."""

_encode = msgspec.msgpack.encode
_decode = msgspec.msgpack.Decoder(Names).decode


class KeptNames:
    """Keeps the pairs of sessions.

    Args:
        key: any secret text; empty: nothing is kept.

    Raises:
        PolicyRejected: the key is too short to keep anything.
    """

    def __init__(self, store: Store, settings: ConversationSettings, key: str) -> None:
        if key and len(key) < _MIN_KEY_CHARS:
            raise PolicyRejected(f"{SESSION_KEY} must have at least {_MIN_KEY_CHARS} characters")
        self._store = store
        self._settings = settings
        self._cipher = AESGCM(_derived(key)) if key else None

    async def load(self, tenant: str, session: str) -> Names:
        """The pairs of all turns; of a placeholder that was given twice at once the first.

        Raises:
            StoreUnavailable: Redis is away.
        """
        if self._cipher is None:
            return ()
        key = keys.session_names(tenant, session)
        sealed, _ = await self._store.pipeline(
            [("LRANGE", key, 0, -1), ("EXPIRE", key, self._settings.ttl_s)]
        )
        names: dict[str, str] = {}
        for one in sealed:
            for name, value in self._opened(one, key):
                names.setdefault(name, value)
        return tuple(names.items())

    async def add(self, tenant: str, session: str, names: Names) -> bool:
        """Keep the pairs of one more turn; False where that could not be done."""
        if self._cipher is None or not names:
            return self._cipher is not None
        packed = _encode(names)
        if len(packed) > _MAX_BYTES:
            return False
        key = keys.session_names(tenant, session)
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, packed, key.encode())
        try:
            await self._store.pipeline(
                [
                    ("RPUSH", key, sealed),
                    ("LTRIM", key, -self._settings.max_turns, -1),
                    ("EXPIRE", key, self._settings.ttl_s),
                ]
            )
        except StoreUnavailable as error:
            log.warning("what placeholders stand for was not kept: %s", error)
            return False
        return True

    def _opened(self, sealed: bytes, key: str) -> Names:
        """The pairs of a turn; none if another key sealed them, or nobody did."""
        assert self._cipher is not None
        nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return _decode(self._cipher.decrypt(nonce, rest, key.encode()))
        except (InvalidTag, ValueError):
            log.warning("pairs of a session cannot be read and are left out")
            return ()


def _derived(key: str) -> bytes:
    """A key of the cipher's length (RFC 5869)."""
    hkdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"serve-app session names")
    return hkdf.derive(key.encode())
