"""A fork: the beginning of a conversation as a new one, which appears as a whole or not at all."""

from __future__ import annotations

from typing import Any, Final

from serve_app.sessions.shelf import NOTES, SUMMARY, Shelf, both, described, hash_fields
from serve_app.sessions.thread import Thread
from serve_app.sessions.turns import Turn
from serve_app.store import keys

_PAGE: Final = (64, 1 << 20)
"""Turns and bytes that are copied at once."""
_DRAFT_S: Final = 60
"""What was laid ready by somebody who died goes away by itself."""


class Draft:
    """The turns of a fork while they are laid ready. Each is read and written anew, because what
    is sealed is sealed for its place."""

    def __init__(self, shelf: Shelf, tenant: str, source: str, target: str) -> None:
        self._shelf = shelf
        self._tenant = tenant
        self._source = source
        self._target = target
        self._place = keys.conversation(tenant, target)
        self._key = keys.conversation_draft(tenant, target)
        self._bytes = 0
        self._tokens = 0
        self._pins: dict[str, bytes] = {}

    async def fill(self, version: int) -> Thread:
        """Copy the turns before a version, as far as they are kept.

        Returns:
            What is known of the source. Where it never had so many turns, nothing was copied.
        """
        shelf, start = self._shelf, 0
        await shelf.store.delete(self._key)
        while True:
            page = await shelf.read("on", self._tenant, self._source, start, _PAGE)
            turns = [turn for turn in page.turns if turn.number < version]
            if page.version < version:
                return page
            if not start:
                self._take_pins([pin for pin in page.pins if pin.number < version])
            await self._lay(turns)
            start = turns[-1].number + 1 if turns else version
            if start >= version:
                return page

    async def land(self, version: int, source: Thread) -> bool:
        """Make it a conversation; False if there is one of that name."""
        known: dict[str, Any] = {
            "v": version,
            "at": int(self._shelf.clock.wall()),
            "b": self._bytes,
            "t": self._tokens,
            "pins": len(self._pins),
            **self._pins,
        }
        if source.metadata:
            known["meta"] = self._shelf.framed(described(source.metadata), self._place + NOTES)
        if (summary := source.summary) is not None and summary.upto <= version:
            known["upto"] = summary.upto
            packed = summary.text.encode("utf-8", "surrogatepass")
            known["sum"] = self._shelf.framed(packed, self._place + SUMMARY)
        names = [self._key, *both(self._tenant, self._target)]
        args = [self._shelf.policy.life_s(self._tenant), *hash_fields(known)]
        return bool(await self._shelf.store.script("conversation_land", names, args))

    async def _lay(self, turns: list[Turn]) -> None:
        if not turns:
            return
        self._take_pins(turns)
        packed = [self._shelf.packed(turn, self._place) for turn in turns]
        self._bytes += sum(map(len, packed))
        self._tokens += sum(turn.tokens for turn in turns)
        await self._shelf.store.pipeline(
            [("RPUSH", self._key, *packed), ("EXPIRE", self._key, _DRAFT_S)]
        )

    def _take_pins(self, turns: list[Turn]) -> None:
        for turn in turns:
            if pin := self._shelf.pin(turn, self._place):
                self._pins.setdefault(f"pin:{turn.number}", pin)
