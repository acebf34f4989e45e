"""What the placeholders of a conversation stand for, encrypted beside it in Redis.

A session's history holds placeholders (`<EMAIL_1>`) where the policy redacts reversibly. So that
a later turn can give the caller the real values back, and goes on numbering, the pairs of each
turn are kept as long as the session, sealed. Without a key none are kept: then numbering begins
anew with each turn, and what stands in the history as a placeholder stays one.
"""

from __future__ import annotations

import logging
from typing import Final

import msgspec

from serve_app.config.conversation_policy import ConversationPolicy
from serve_app.core.screening import Names
from serve_app.sessions.seal import Seals
from serve_app.store import keys
from serve_app.store.client import Store

log = logging.getLogger(__name__)

MOST_TURNS: Final = 1000
"""Of one session, whose pairs are kept; those of the oldest go first."""

_MAX_BYTES: Final = 1 << 18
"""Of one turn's pairs; more are not kept."""

_encode = msgspec.msgpack.encode
_decode = msgspec.msgpack.Decoder(Names).decode


class KeptNames:
    """Keeps the pairs of sessions.

    Args:
        policy: how long they are kept.
        seals: without a key nothing is kept.
    """

    def __init__(self, store: Store, policy: ConversationPolicy, seals: Seals) -> None:
        self._store = store
        self._policy = policy
        self._seals = seals

    def reconfigure(self, policy: ConversationPolicy) -> None:
        self._policy = policy

    async def load(self, tenant: str, session: str) -> Names:
        """The pairs of all turns; of a placeholder that was given twice the first.

        Raises:
            StoreUnavailable: Redis is away.
        """
        if not self._seals.can_seal:
            return ()
        key = keys.session_names(tenant, session)
        sealed, _ = await self._store.pipeline(
            [("LRANGE", key, 0, -1), ("EXPIRE", key, self._policy.life_s(tenant))]
        )
        names: dict[str, str] = {}
        for one in sealed:
            for name, value in self._opened(one, key):
                names.setdefault(name, value)
        return tuple(names.items())

    def sealed(self, tenant: str, session: str, names: Names) -> bytes:
        """The pairs of one more turn, to be kept with it (`Conversations.append`); empty where
        they cannot be."""
        if not names or not self._seals.can_seal:
            return b""
        packed = _encode(names)
        if len(packed) > _MAX_BYTES:
            return b""
        return self._seals.seal(packed, keys.session_names(tenant, session))

    async def copy(self, tenant: str, source: str, target: str) -> None:
        """Keep the pairs of a session for a fork of it too.

        Raises:
            StoreUnavailable: Redis is away.
        """
        sealed = self.sealed(tenant, target, await self.load(tenant, source))
        if sealed:
            key = keys.session_names(tenant, target)
            await self._store.pipeline(
                [("RPUSH", key, sealed), ("EXPIRE", key, self._policy.life_s(tenant))]
            )

    def _opened(self, sealed: bytes, key: str) -> Names:
        """The pairs of a turn; none if another key sealed them, or nobody did."""
        packed = self._seals.open(sealed, key)
        if packed is None:
            log.warning("pairs of a session cannot be read and are left out")
            return ()
        return _decode(packed)
