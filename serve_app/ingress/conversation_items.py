"""The items of a conversation as its callers see them: one message may be several."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from serve_app.core.errors import BadRequest, NotFound, Overloaded
from serve_app.core.types import Message
from serve_app.sessions.items import Item, Items
from serve_app.sessions.store import Conversations
from serve_app.sessions.turns import Turn
from serve_app.wire import conversations as wire
from serve_app.wire.responses.listing import Window
from serve_app.wire.responses.making import Json

_TRIES: Final = 5


class ItemBook:
    """Reads and deletes items. Every method raises `StoreUnavailable`."""

    def __init__(self, conversations: Conversations, items: Items) -> None:
        self._conversations = conversations
        self._items = items

    async def page(self, tenant: str, name: str, window: Window) -> tuple[list[Json], bool]:
        """Items after one, in the order wanted, and whether there are more.

        Raises:
            BadRequest: `after` is no id of an item.
        """
        at, found = await self._rest(tenant, name, window)
        has_more = True
        while has_more and len(found) <= window.limit:
            page = await self._items.page(
                tenant, name, after=at, limit=window.limit + 1, newest=window.newest
            )
            found += [shown for item in page.items for shown in _ordered(item, window)]
            at, has_more = page.items[-1].id if page.items else at, page.has_more
        return found[: window.limit], len(found) > window.limit

    async def item(self, tenant: str, name: str, item_id: str) -> Json:
        """One item.

        Raises:
            NotFound: the conversation has no such item.
        """
        message = await self._message(tenant, name, item_id)
        return next(shown for shown in _shown(message) if shown["id"] == item_id)

    async def of_turn(self, tenant: str, name: str, number: int) -> list[Json]:
        """All items of a turn."""
        page = await self._conversations.page(tenant, name, number, 1)
        return [shown for turn in page.turns for shown in items_of_turn(turn)]

    async def delete(self, tenant: str, name: str, item_id: str) -> None:
        """Delete an item; the ids of all others stay.

        Raises:
            NotFound: the conversation has no such item.
            Overloaded: others change its turn all the time.
        """
        for _ in range(_TRIES):
            item = await self._message(tenant, name, item_id)
            left = wire.without(item_id, _place(item), item.message)
            if left is None:
                is_done = await self._items.delete(tenant, name, item.id)
            else:
                is_done = await self._put(tenant, name, item, left)
            if is_done:
                return
        raise Overloaded("The item's turn is being changed by others", retry_after_s=1)

    async def _put(self, tenant: str, name: str, item: Item, left: Message) -> bool:
        """Put what is left of a message in its place."""
        page = await self._conversations.page(tenant, name, item.turn, 1)
        if not page.turns or page.turns[0].number != item.turn:
            return False
        turn = page.turns[0]
        slots = (*turn.slots[: item.index], left, *turn.slots[item.index + 1 :])
        return await self._conversations.replace(tenant, name, turn, replace(turn, slots=slots))

    async def _message(self, tenant: str, name: str, item_id: str) -> Item:
        """The message that an item is a part of."""
        place = wire.place_of(item_id)
        item = None if place is None else await self._items.get(tenant, name, f"msg_{place}")
        if item is None or item_id not in [shown["id"] for shown in _shown(item)]:
            raise NotFound(
                f"The conversation has no item {item_id[:80]!r}",
                param="item_id",
                code="item_not_found",
            )
        return item

    async def _rest(self, tenant: str, name: str, window: Window) -> tuple[str, list[Json]]:
        """The message that `after` is of, and those of its items that come after that."""
        after = window.after
        if not after:
            return "", []
        place = wire.place_of(after)
        if place is None:
            raise BadRequest("'after' names no item", param="after")
        item = await self._items.get(tenant, name, f"msg_{place}")
        shown = [] if item is None else _ordered(item, window)
        ids = [one["id"] for one in shown]
        return f"msg_{place}", shown[ids.index(after) + 1 :] if after in ids else []


def items_of_turn(turn: Turn) -> list[Json]:
    """All items of a turn, in order."""
    slots = enumerate(turn.slots)
    messages = [(at, message) for at, message in slots if message is not None]
    return [one for at, said in messages for one in wire.items_of(f"{turn.number}_{at}", said)]


def _place(item: Item) -> str:
    return f"{item.turn}_{item.index}"


def _shown(item: Item) -> list[Json]:
    return wire.items_of(_place(item), item.message)


def _ordered(item: Item, window: Window) -> list[Json]:
    shown = _shown(item)
    return shown[::-1] if window.newest else shown
