import asyncio

import pytest

from serve_app.config.structure import ConversationSettings, RedisSettings
from serve_app.core.clock import SystemClock
from serve_app.core.types import ContentPart, FunctionCall, Message, ToolCall
from serve_app.sessions.store import MAX_TURN_BYTES, Conversations
from serve_app.store import keys
from serve_app.store.client import Store
from serve_app.store.embedded import EmbeddedValkey


@pytest.fixture
def conversations(store: Store) -> Conversations:
    return Conversations(store, ConversationSettings(ttl_s=3600, max_turns=3), SystemClock())


def turn(name: str) -> list[Message]:
    return [Message("user", f"{name}?"), Message("assistant", f"{name}!")]


async def test_a_conversation_comes_back_in_order(conversations: Conversations) -> None:
    assert await conversations.append("t", "s", turn("one")) == 1
    assert await conversations.append("t", "s", turn("two")) == 2
    assert await conversations.load("t", "s") == turn("one") + turn("two")


async def test_everything_a_message_has_comes_back(conversations: Conversations) -> None:
    call = ToolCall("c1", "function", FunctionCall("weather", '{"city":"Paris"}'))
    said = [
        Message("user", [ContentPart("text", "weather in Paris? ☀")], name="ann"),
        Message("assistant", None, tool_calls=[call]),
        Message("tool", "sunny", tool_call_id="c1"),
    ]
    await conversations.append("t", "s", said)
    assert await conversations.load("t", "s") == said


async def test_media_become_a_mark(conversations: Conversations) -> None:
    parts = [ContentPart("text", "what is this?"), ContentPart("image_url")]
    await conversations.append("t", "s", [Message("user", parts)])
    [message] = await conversations.load("t", "s")
    assert message.content == [parts[0], ContentPart("text", "[image_url not kept]")]


async def test_the_oldest_turns_are_forgotten_as_a_whole(conversations: Conversations) -> None:
    for i in range(5):
        await conversations.append("t", "s", turn(str(i)))
    assert await conversations.load("t", "s") == turn("2") + turn("3") + turn("4")


async def test_sessions_and_tenants_are_apart(conversations: Conversations) -> None:
    await conversations.append("t", "s", turn("mine"))
    assert await conversations.load("t", "s2") == []
    assert await conversations.load("t2", "s") == []
    assert await conversations.load("t:s", "") == []


async def test_turns_appended_at_once_are_all_there_and_whole(
    store: Store, clean_valkey: EmbeddedValkey
) -> None:
    other_store = Store(RedisSettings(timeout_ms=5000), SystemClock(), clean_valkey.url)
    settings = ConversationSettings(max_turns=200)
    replicas = [Conversations(s, settings, SystemClock()) for s in (store, other_store)]
    try:
        await asyncio.gather(*(replicas[i % 2].append("t", "s", turn(str(i))) for i in range(100)))
        messages = await replicas[0].load("t", "s")
    finally:
        await other_store.close()
    pairs = [messages[i : i + 2] for i in range(0, len(messages), 2)]
    assert sorted(str(pair) for pair in pairs) == sorted(str(turn(str(i))) for i in range(100))


async def test_each_use_starts_the_time_to_live_anew(
    conversations: Conversations, store: Store
) -> None:
    key = keys.conversation("t", "s")
    await conversations.append("t", "s", turn("one"))
    for use in (conversations.load("t", "s"), conversations.append("t", "s", turn("two"))):
        await store.pipeline([("EXPIRE", key, 10)])
        await use
        assert (await store.pipeline([("TTL", key)]))[0] > 3000


async def test_a_deleted_session_is_gone(conversations: Conversations) -> None:
    await conversations.append("t", "s", turn("one"))
    assert await conversations.delete("t", "s")
    assert not await conversations.delete("t", "s")
    assert await conversations.load("t", "s") == []


async def test_a_turn_that_is_too_large_is_not_kept(conversations: Conversations) -> None:
    assert await conversations.append("t", "s", [Message("user", "x" * MAX_TURN_BYTES)]) == 0
    assert await conversations.load("t", "s") == []


async def test_a_turn_that_cannot_be_read_does_not_lose_the_others(
    conversations: Conversations, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    await conversations.append("t", "s", turn("one"))
    key = keys.conversation("t", "s")
    await store.pipeline([("RPUSH", key, b"\xff"), ("RPUSH", key, b"\xff")])
    assert await conversations.load("t", "s") == turn("one")
    assert len(caplog.records) == 1
