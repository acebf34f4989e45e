"""The messages of a conversation one by one: names that stay, pages, deletion."""

from __future__ import annotations

import pytest

from serve_app.config.policy import ConversationPolicy
from serve_app.core.clock import SystemClock
from serve_app.core.types import FunctionCall, Message, ToolCall
from serve_app.sessions.items import Item, Items
from serve_app.sessions.store import Conversations, Moved
from serve_app.store.client import Store


@pytest.fixture
def conversations(store: Store) -> Conversations:
    return Conversations(store, ConversationPolicy(max_turns=100), SystemClock())


@pytest.fixture
def items(conversations: Conversations) -> Items:
    return Items(conversations)


async def fill(conversations: Conversations, turns: int) -> None:
    for n in range(turns):
        said = [Message("user", f"{n}?"), Message("assistant", f"{n}!")]
        await conversations.append("t", "s", said)


async def paged(items: Items, limit: int, *, newest: bool) -> list[Item]:
    """All of them, page by page."""
    found: list[Item] = []
    while True:
        after = found[-1].id if found else ""
        page = await items.page("t", "s", after=after, limit=limit, newest=newest)
        assert len(page.items) == limit or not page.has_more
        found += page.items
        if not page.has_more:
            return found


@pytest.mark.parametrize("limit", [1, 7, 100, 1000])
async def test_pages_have_every_message_once_in_either_order(
    conversations: Conversations, items: Items, limit: int
) -> None:
    await fill(conversations, 13 if limit == 1 else 130)
    newest = await paged(items, limit, newest=True)
    assert len(newest) == (26 if limit == 1 else 200)
    assert [item.message.content for item in newest[:2]] == (
        ["12!", "12?"] if limit == 1 else ["129!", "129?"]
    )
    assert await paged(items, limit, newest=False) == newest[::-1]
    assert len({item.id for item in newest}) == len(newest)


async def test_names_stay_though_older_messages_are_forgotten_or_deleted(
    conversations: Conversations, items: Items
) -> None:
    await fill(conversations, 5)
    assert await items.delete("t", "s", "msg_4_0")
    await fill(conversations, 98)
    found = await items.get("t", "s", "msg_4_1")
    assert found is not None
    assert (found.id, found.message.content) == ("msg_4_1", "4!")
    assert await items.get("t", "s", "msg_4_0") is None
    assert await items.get("t", "s", "msg_2_0") is None  # forgotten


@pytest.mark.parametrize(
    "name", ["", "msg_", "msg_0", "msg_0_0_0", "msg_00_0", "msg_-1_0", "msg_0_9", "msg_7_0",
             "msg_0_0 ", "msg_0_\u0660", "item_0_0", "msg_99999999999_0"]
)  # fmt: skip
async def test_what_is_no_name_of_a_message_is_not_there(
    conversations: Conversations, items: Items, name: str
) -> None:
    await fill(conversations, 1)
    assert await items.get("t", "s", name) is None
    assert not await items.delete("t", "s", name)
    assert len(await conversations.load("t", "s")) == 2


async def test_a_page_after_what_is_no_name_is_refused(items: Items) -> None:
    with pytest.raises(ValueError, match="no id"):
        await items.page("t", "s", after="msg_x")


async def test_messages_are_added_without_a_model(
    conversations: Conversations, items: Items
) -> None:
    said = [Message("user", "hello"), Message("developer", "be brief")]
    with pytest.raises(Moved):
        await items.add("t", "s", said)
    await conversations.create("t", "s", {})
    added = await items.add("t", "s", said)
    assert [item.id for item in added] == ["msg_0_0", "msg_0_1"]
    assert [await items.get("t", "s", item.id) for item in added] == added
    assert await items.add("t", "s", [Message("user", "x" * (1 << 20))]) == []


async def test_a_deleted_message_is_gone_and_no_half_of_a_pair_is_left_to_send(
    conversations: Conversations, items: Items
) -> None:
    call = ToolCall("c", "function", FunctionCall("f"))
    said = [
        Message("user", "go"),
        Message("assistant", tool_calls=[call]),
        Message("tool", "SECRET", tool_call_id="c"),
        Message("assistant", "done"),
    ]
    await conversations.append("t", "s", said)
    assert await items.delete("t", "s", "msg_0_2")
    assert not await items.delete("t", "s", "msg_0_2")
    assert await conversations.load("t", "s") == [*said[:2], said[3]]
    thread = await conversations.read("t", "s")
    assert thread.tokens == thread.turns[0].tokens


async def test_a_whole_turn_can_be_deleted(conversations: Conversations, items: Items) -> None:
    await conversations.append("t", "s", [Message("system", "SECRET"), Message("user", "a")])
    await fill(conversations, 1)
    assert await items.delete_turn("t", "s", 0)
    assert not await items.delete_turn("t", "s", 0)
    assert not await items.delete_turn("t", "s", 5)
    thread = await conversations.read("t", "s")
    assert [m.content for m in thread.messages] == ["0?", "0!"]
    assert (await conversations.read("t", "s", at_version=2)).pins == ()
    assert thread.version == 2
