"""The messages of a conversation one by one, under names that stay: listed, added, deleted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from serve_app.core.types import Message
from serve_app.sessions.store import Conversations
from serve_app.sessions.turns import Turn

_ID: Final = re.compile(r"msg_(0|[1-9][0-9]{0,9})_(0|[1-9][0-9]{0,5})", re.ASCII)
_PAGE_TURNS: Final = 64
_TRIES: Final = 5


class Item(Struct, frozen=True):
    """One message of a conversation: its place, and what it says."""

    turn: int
    index: int
    message: Message

    @property
    def id(self) -> str:
        """`msg_TURN_INDEX`, as long as the message is there."""
        return f"msg_{self.turn}_{self.index}"


class Page(Struct, frozen=True):
    items: list[Item]
    has_more: bool


class Items:
    """Every method raises `StoreUnavailable`."""

    def __init__(self, conversations: Conversations) -> None:
        self._conversations = conversations

    async def page(
        self, tenant: str, session: str, *, after: str = "", limit: int = 20, newest: bool = True
    ) -> Page:
        """A page of messages.

        Args:
            after: the id that the page before ended with; empty: from the beginning (or the end).
            newest: the newest first.

        Raises:
            ValueError: `after` is no id.
        """
        start = _place(after) if after else None
        found: list[Item] = []
        at = None if start is None else start[0]
        while len(found) <= limit:
            turns, at = await self._turns(tenant, session, at, newest)
            listed = [item for turn in turns for item in _items(turn)]
            if newest:
                listed.reverse()
            found += [item for item in listed if _is_after(item, start, newest)]
            if at is None:
                break
        return Page(found[:limit], len(found) > limit)

    async def get(self, tenant: str, session: str, item_id: str) -> Item | None:
        """One message; None: it is not there."""
        turn, index = await self._at(tenant, session, item_id)
        return None if turn is None else _item(turn, index)

    async def add(self, tenant: str, session: str, messages: Sequence[Message]) -> list[Item]:
        """Add messages at the end, as one turn, without asking a model.

        Returns:
            They as they are kept; none: they are too large.

        Raises:
            Moved: there is no such conversation (see `Conversations.create`).
        """
        version = await self._conversations.append(tenant, session, messages, was_there=True)
        if not version:
            return []
        return [Item(version - 1, index, message) for index, message in enumerate(messages)]

    async def delete(self, tenant: str, session: str, item_id: str) -> bool:
        """Delete one message; the names of the others stay. False: it is not there."""
        for _ in range(_TRIES):  # somebody may delete another one of the same turn
            turn, index = await self._at(tenant, session, item_id)
            if turn is None or _item(turn, index) is None:
                return False
            if await self._conversations.replace(tenant, session, turn, turn.without(index)):
                return True
        return False

    async def delete_turn(self, tenant: str, session: str, number: int) -> bool:
        """Delete all messages of a turn. False: it is not there."""
        for _ in range(_TRIES):
            turn = await self._turn(tenant, session, number)
            if turn is None or not turn.messages:
                return False
            empty = Turn(number, (None,) * len(turn.slots), (0,) * len(turn.slots))
            if await self._conversations.replace(tenant, session, turn, empty):
                return True
        return False

    async def _at(self, tenant: str, session: str, item_id: str) -> tuple[Turn | None, int]:
        try:
            number, index = _place(item_id)
        except ValueError:
            return None, 0
        return await self._turn(tenant, session, number), index

    async def _turn(self, tenant: str, session: str, number: int) -> Turn | None:
        thread = await self._conversations.page(tenant, session, number, 1)
        [turn] = thread.turns or (None,)
        return turn if turn is not None and turn.number == number else None

    async def _turns(
        self, tenant: str, session: str, at: int | None, newest: bool
    ) -> tuple[Sequence[Turn], int | None]:
        """Turns from one on in the order wanted, that one included, and where to go on; None: it
        is the end."""
        if newest:
            end = -1 if at is None else at + 1
            back = await self._conversations.page_back(tenant, session, end, _PAGE_TURNS)
            return back.turns, back.start - 1 if back.turns and back.start > back.gone else None
        on = await self._conversations.page(tenant, session, at or 0, _PAGE_TURNS)
        last = on.turns[-1].number if on.turns else on.version
        return on.turns, last + 1 if last + 1 < on.version else None


def _place(item_id: str) -> tuple[int, int]:
    """A message's turn and its index there.

    Raises:
        ValueError: it is no id.
    """
    found = _ID.fullmatch(item_id)
    if found is None:
        raise ValueError("no id of a message")
    return int(found[1]), int(found[2])


def _items(turn: Turn) -> list[Item]:
    places = range(len(turn.slots))
    return [item for index in places if (item := _item(turn, index)) is not None]


def _item(turn: Turn, index: int) -> Item | None:
    message = turn.slots[index] if index < len(turn.slots) else None
    return None if message is None else Item(turn.number, index, message)


def _is_after(item: Item, start: tuple[int, int] | None, newest: bool) -> bool:
    if start is None:
        return True
    at = (item.turn, item.index)
    return at < start if newest else at > start
