"""Where the state of alerts is kept: in Redis, with a version, so that two who both believe to
have the duty cannot both go on with it."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from serve_app.alerts.state import MAX_EVENTS, Event, State
from serve_app.store import keys
from serve_app.store.client import Argument, Store

_STATE: Final = msgspec.json.Decoder(State)
_EVENT: Final = msgspec.json.Decoder(Event)


class Overtaken(Exception):
    """Somebody else has kept a state since ours was read."""


class Shelf:
    """
    Args:
        replica: names this process among all of them.
    """

    def __init__(self, store: Store, replica: str) -> None:
        self._store = store
        self._replica = replica
        self._key, self._history = keys.alerts("state"), keys.alerts("history")
        self._version = 0
        self._kept = b""

    async def read(self) -> State:
        """What was kept last; later saves are changes of it.

        Raises:
            StoreUnavailable
        """
        [found] = await self._store.pipeline([("HMGET", self._key, "body", "version")])
        body, version = found
        self._version = int(version or 0)
        self._kept = body or b""
        return _STATE.decode(body) if body else State()

    async def look(self) -> tuple[State, list[Event]]:
        """What was kept last and what happened lately, newest first, for those who ask.

        Raises:
            StoreUnavailable
        """
        body, listed = await self._store.pipeline(
            [("HGET", self._key, "body"), ("LRANGE", self._history, 0, MAX_EVENTS - 1)]
        )
        state = _STATE.decode(body) if body else State()
        return state, [_EVENT.decode(one) for one in listed]

    async def save(self, state: State, events: list[Event]) -> None:
        """Keep a state, and what happened since the last one. The same again costs nothing.

        Raises:
            Overtaken: nothing was kept.
            StoreUnavailable: whether it was kept is not known; it may be saved again.
        """
        body = msgspec.json.encode(state)
        if body == self._kept and not events:
            return
        args: list[Argument] = [self._replica, self._version, body, MAX_EVENTS]
        for event in events:
            args += [event.number, msgspec.json.encode(event)]
        version: Any = await self._store.script("alerts_save", [self._key, self._history], args)
        if not version:
            raise Overtaken
        self._version, self._kept = int(version), body
