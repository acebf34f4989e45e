"""Conversations in Redis: turns in, the messages of a session out; this process keeps nothing."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import msgspec

from serve_app.config.structure import ConversationSettings
from serve_app.core.clock import Clock
from serve_app.core.types import ContentPart, Message
from serve_app.store import keys
from serve_app.store.client import Store

log = logging.getLogger(__name__)

MAX_TURN_BYTES = 1 << 20
"""A larger turn is not kept: reading it back each time would outlast Redis's time limit."""

_COMPLAIN_EVERY_S = 60.0
_decode = msgspec.msgpack.Decoder(list[Message]).decode


class Conversations:
    """The turns of each session, oldest first, as one list in Redis.

    A turn is one element of that list: it is there as a whole or not at all, and turns that
    are appended at the same time stand one after the other.

    Parts of a message that are not text (images, audio) are remembered as a mark, not kept.

    Args:
        settings: how many turns are kept, and for how long after the last use.
        clock: for how often the log hears of turns that cannot be read.

    Every method raises `StoreUnavailable`.
    """

    def __init__(self, store: Store, settings: ConversationSettings, clock: Clock) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._complained_at = float("-inf")

    async def load(self, tenant: str, session_id: str) -> list[Message]:
        """Every message of the session in order; none for a session that is unknown or over."""
        key = keys.conversation(tenant, session_id)
        turns, _ = await self._store.pipeline(
            [
                ("LRANGE", key, -self._settings.max_turns, -1),
                ("EXPIRE", key, self._settings.ttl_s),
            ]
        )
        return [message for turn in turns for message in self._read(turn)]

    async def append(self, tenant: str, session_id: str, turn: Sequence[Message]) -> int:
        """Add a turn at the end; turns beyond the limit are forgotten, oldest first.

        Returns:
            How many turns the session has now; 0 if this one is too large to be kept.
        """
        packed = msgspec.msgpack.encode([_without_media(message) for message in turn])
        if len(packed) > MAX_TURN_BYTES:
            return 0
        key = keys.conversation(tenant, session_id)
        limits = self._settings.max_turns, self._settings.ttl_s
        return int(await self._store.script("append_turn", [key], [packed, *limits]))

    async def delete(self, tenant: str, session_id: str) -> bool:
        """Forget a session; False if there was none."""
        return await self._store.delete(keys.conversation(tenant, session_id)) > 0

    def _read(self, turn: bytes) -> list[Message]:
        """A turn's messages; none if another version wrote what this one cannot read."""
        try:
            return _decode(turn)
        except msgspec.MsgspecError as error:
            now = self._clock.monotonic()
            if now - self._complained_at >= _COMPLAIN_EVERY_S:
                self._complained_at = now
                log.warning("a stored turn cannot be read and is left out: %s", error)
            return []


def _without_media(message: Message) -> Message:
    if not isinstance(message.content, list) or all(p.type == "text" for p in message.content):
        return message
    parts = [p if p.type == "text" else _mark(p) for p in message.content]
    return msgspec.structs.replace(message, content=parts)


def _mark(part: ContentPart) -> ContentPart:
    return ContentPart("text", f"[{part.type} not kept]")
