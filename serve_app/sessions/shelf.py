"""Where conversations stand in Redis: which keys, how much is read, and what bytes mean."""

from __future__ import annotations

import logging
from typing import Any, Final, Literal

import msgspec

from serve_app.config.conversation_policy import ConversationPolicy
from serve_app.core.clock import Clock
from serve_app.sessions.seal import Seals
from serve_app.sessions.thread import Summary, Thread
from serve_app.sessions.turns import Count, Turn, framed, pack, unframed, unpack
from serve_app.store import keys
from serve_app.store.client import Store

log = logging.getLogger(__name__)

END: Final = -1
"""Reading back from the last turn."""

PIN: Final = "|pin"
SUMMARY: Final = "|summary"
NOTES: Final = "|notes"
"""What stands beside the turns is sealed each for a place of its own."""

_PIN_BYTES: Final = 1 << 17
"""Larger instructions are not pinned: they would be read with each request."""
_COMPLAIN_EVERY_S: Final = 60.0

Direction = Literal["back", "on"]
Raw = tuple[int, int, dict[bytes, bytes], list[bytes]]
"""Version, how many turns are gone, the hash, turns in the order of reading."""

_metadata = msgspec.msgpack.Decoder(dict[str, str]).decode


class Shelf:
    """Reads conversations and packs what is to be kept.

    Args:
        policy: of the moment; whoever owns the shelf may change it.
        seals: open what was sealed.
        sealing: seals what is kept from now on; None: it is kept as it is.
        count: tokens of a message.
    """

    def __init__(
        self,
        store: Store,
        policy: ConversationPolicy,
        clock: Clock,
        seals: Seals,
        sealing: Seals | None,
        count: Count,
    ) -> None:
        self.store = store
        self.policy = policy
        self.clock = clock
        self.count = count
        self._seals = seals
        self._sealing = sealing
        self._complained_at = float("-inf")

    # ------------------------------------------------------------------ reading

    async def read(
        self,
        direction: Direction,
        tenant: str,
        session: str,
        at: int,
        limits: tuple[int, int],
    ) -> Thread:
        """A part of a conversation.

        Args:
            at: going on, the first turn's number; going back, the number after it, or `END`.
            limits: most turns, most bytes. One turn is read however large it is.
        """
        version, gone, state, stored = await self.raw(direction, tenant, session, at, limits)
        back = direction == "back"
        here = version if not back or at == END else min(at, version)
        start = here - len(stored) if back else max(at, gone)
        if back:
            stored.reverse()
        place = keys.conversation(tenant, session)
        return Thread(
            version=version,
            at=here,
            gone=gone,
            turns=tuple(self.turn(start + i, one, place) for i, one in enumerate(stored)),
            pins=self._pins(state, place, start),
            summary=self._summary(state, place, here),
            tokens=int(state.get(b"t", 0)),
            created_at=int(state.get(b"at", 0)),
            metadata=self._noted(state, place),
            read_bytes=sum(map(len, stored)),
        )

    async def raw(
        self, direction: Direction, tenant: str, session: str, at: int, limits: tuple[int, int]
    ) -> Raw:
        """The same, as it is stored."""
        args = (direction, at, *limits, self.policy.life_s(tenant))
        version, gone, pairs, stored = await self.store.script(
            "conversation_read", both(tenant, session), args
        )
        return version, gone, dict(zip(pairs[::2], pairs[1::2], strict=True)), stored

    def turn(self, number: int, stored: bytes, place: str) -> Turn:
        """A turn; an empty one if another version wrote what this one cannot read, or no key of
        ours opens it."""
        try:
            return unpack(number, stored, self._seals, place, self.count)
        except (msgspec.MsgspecError, ValueError, IndexError) as error:
            self._complain(error)
            return Turn(number, ())

    def _pins(self, state: dict[bytes, bytes], place: str, before: int) -> tuple[Turn, ...]:
        numbers = sorted(int(name[4:]) for name in state if name.startswith(b"pin:"))
        return tuple(
            self.turn(number, state[b"pin:%d" % number], place + PIN)
            for number in numbers
            if number < before
        )

    def _summary(self, state: dict[bytes, bytes], place: str, at: int) -> Summary | None:
        upto = int(state.get(b"upto", 0))
        packed = self._plain(state.get(b"sum"), place + SUMMARY) if 0 < upto <= at else None
        if packed is None:
            return None
        return Summary(upto, packed.decode("utf-8", "surrogatepass"))

    def _noted(self, state: dict[bytes, bytes], place: str) -> dict[str, str]:
        packed = self._plain(state.get(b"meta"), place + NOTES)
        return {} if packed is None else _metadata(packed)

    def _plain(self, stored: bytes | None, place: str) -> bytes | None:
        try:
            return None if stored is None else unframed(stored, self._seals, place)
        except ValueError as error:
            self._complain(error)
            return None

    def _complain(self, error: Exception) -> None:
        now = self.clock.monotonic()
        if now - self._complained_at >= _COMPLAIN_EVERY_S:
            self._complained_at = now
            log.warning("a stored turn cannot be read and is left out: %s", error)

    # ------------------------------------------------------------------ packing

    def packed(self, turn: Turn, place: str) -> bytes:
        """A turn as it is kept."""
        return self.framed(pack(turn), place)

    def framed(self, packed: bytes, place: str) -> bytes:
        return framed(packed, self._sealing, place)

    def pin(self, turn: Turn, place: str) -> bytes:
        """A turn's instructions, which are read though the turn may not be; empty: it has none."""
        said = turn.instructions
        if not said:
            return b""
        packed = pack(Turn(turn.number, tuple(said), tuple(self.count(one) for one in said)))
        return self.framed(packed, place + PIN) if len(packed) <= _PIN_BYTES else b""


def both(tenant: str, session: str) -> list[str]:
    """The keys of a conversation: its turns, and what is known of it besides."""
    return [keys.conversation(tenant, session), keys.conversation_state(tenant, session)]


def described(metadata: dict[str, str]) -> bytes:
    """A caller's notes on a conversation, packed."""
    return msgspec.msgpack.encode(metadata)


def hash_fields(values: dict[str, Any]) -> list[Any]:
    """Fields and values as a script takes them."""
    return [part for pair in values.items() for part in pair]
