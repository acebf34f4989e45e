"""Conversations in Redis: versions, limits, forks, deletion, and reading no more than needed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import msgspec
import pytest
from redis import Redis

from serve_app.config.policy import ConversationPolicy
from serve_app.config.structure import RedisSettings
from serve_app.core.clock import SystemClock
from serve_app.core.types import ContentPart, FunctionCall, Message, ToolCall
from serve_app.sessions.items import Items
from serve_app.sessions.names import KeptNames
from serve_app.sessions.responses import Responses, StoredResponse
from serve_app.sessions.seal import Seals
from serve_app.sessions.store import MAX_TURN_BYTES, Conversations, Moved
from serve_app.sessions.turns import Turn
from serve_app.store import keys
from serve_app.store.client import Store
from serve_app.store.embedded import EmbeddedValkey

SEALS = Seals("a key that is long enough")
Make = Callable[..., Conversations]


@pytest.fixture(params=["plain", "sealed"])
def make(store: Store, request: pytest.FixtureRequest) -> Make:
    """`make(max_turns=3, ...)`: conversations under that policy, plain and sealed."""

    def made(**policy: object) -> Conversations:
        rules = ConversationPolicy.model_validate(policy)
        encrypt = request.param == "sealed"
        return Conversations(store, rules, SystemClock(), seals=SEALS, encrypt=encrypt)

    return made


@pytest.fixture
def conversations(make: Make) -> Conversations:
    return make()


def turn(name: str) -> list[Message]:
    return [Message("user", f"{name}?"), Message("assistant", f"{name}!")]


async def say(conversations: Conversations, *names: str, session: str = "s") -> None:
    for name in names:
        await conversations.append("t", session, turn(name))


# ------------------------------------------------------------------ turns


async def test_a_conversation_comes_back_in_order(conversations: Conversations) -> None:
    assert await conversations.append("t", "s", turn("one")) == 1
    assert await conversations.append("t", "s", turn("two")) == 2
    assert await conversations.load("t", "s") == turn("one") + turn("two")


async def test_everything_a_message_has_comes_back(conversations: Conversations) -> None:
    call = ToolCall("c1", "function", FunctionCall("weather", '{"city":"Paris"}'))
    said = [
        Message("user", [ContentPart("text", "weather in Paris? ☀")], name="ann"),
        Message("assistant", None, tool_calls=[call, ToolCall("c2", "custom")]),
        Message("tool", "sunny", tool_call_id="c1"),
        Message("critic", ""),
    ]
    await conversations.append("t", "s", said)
    assert await conversations.load("t", "s") == said


async def test_media_become_a_mark(conversations: Conversations) -> None:
    parts = [ContentPart("text", "what is this?"), ContentPart("image_url")]
    await conversations.append("t", "s", [Message("user", parts)])
    [message] = await conversations.load("t", "s")
    assert message.content == [parts[0], ContentPart("text", "[image_url not kept]")]


async def test_the_oldest_turns_are_forgotten_and_the_others_keep_their_numbers(make: Make) -> None:
    conversations = make(max_turns=3)
    await say(conversations, *map(str, range(5)))
    thread = await conversations.read("t", "s")
    assert [t.number for t in thread.turns] == [2, 3, 4]
    assert (thread.version, thread.at, thread.gone) == (5, 5, 2)
    assert thread.messages == turn("2") + turn("3") + turn("4")


async def test_bytes_are_limited_too_but_the_last_turn_stays(make: Make, store: Store) -> None:
    conversations = make(max_bytes=1 << 20)
    for n in range(4):
        await conversations.append("t", "s", [Message("user", str(n) * 400_000)])
    thread = await conversations.read("t", "s")
    assert [t.number for t in thread.turns] == [2, 3]
    [kept] = await store.pipeline([("HGET", keys.conversation_state("t", "s"), "b")])
    assert int(kept) == thread.read_bytes
    await conversations.append("t", "s", [Message("user", "x" * 1_040_000)])
    assert [t.number for t in (await conversations.read("t", "s")).turns] == [4]


async def test_sessions_and_tenants_are_apart(conversations: Conversations) -> None:
    await say(conversations, "mine")
    assert await conversations.load("t", "s2") == []
    assert await conversations.load("t2", "s") == []
    assert await conversations.load("t:s", "") == []
    assert await conversations.load("t", "s|state") == []


async def test_each_use_starts_the_time_to_live_anew(make: Make, store: Store) -> None:
    conversations = make(ttl_s=3600, tenants={"brief": {"ttl_s": 60}})
    names = [keys.conversation("t", "s"), keys.conversation_state("t", "s")]
    await say(conversations, "one")
    for use in (conversations.load("t", "s"), say(conversations, "two")):
        await store.pipeline([("EXPIRE", name, 10) for name in names])
        await use
        assert min(await store.pipeline([("TTL", name) for name in names])) > 3000
    await conversations.append("brief", "s", turn("one"))
    [ttl] = await store.pipeline([("TTL", keys.conversation("brief", "s"))])
    assert 0 < ttl <= 60


async def test_a_turn_that_is_too_large_is_not_kept(conversations: Conversations) -> None:
    assert await conversations.append("t", "s", [Message("user", "x" * MAX_TURN_BYTES)]) == 0
    assert await conversations.load("t", "s") == []


async def test_a_turn_that_cannot_be_read_does_not_lose_the_others(
    conversations: Conversations, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    await say(conversations, "one")
    key = keys.conversation("t", "s")
    strange = (b"\xff", b"\x01\xc1", b"\x02short", b"\x01\x93\x01\x02\x03", b"")
    await store.pipeline([("RPUSH", key, one) for one in strange])
    await store.pipeline([("HINCRBY", keys.conversation_state("t", "s"), "v", len(strange))])
    assert await conversations.load("t", "s") == turn("one")
    assert len(caplog.records) == 1


async def test_turns_of_the_first_version_are_still_read(
    conversations: Conversations, store: Store
) -> None:
    key = keys.conversation("t", "s")
    old = [msgspec.msgpack.encode(turn(name)) for name in ("one", "two")]
    await store.pipeline([("RPUSH", key, one) for one in old])
    assert await conversations.append("t", "s", turn("three"), expected=2) == 3
    thread = await conversations.read("t", "s")
    assert thread.messages == turn("one") + turn("two") + turn("three")
    assert [t.number for t in thread.turns] == [0, 1, 2]


# ------------------------------------------------------------------ versions


async def test_a_turn_is_added_only_where_it_belongs(conversations: Conversations) -> None:
    assert await conversations.append("t", "s", turn("one"), expected=0) == 1
    with pytest.raises(Moved) as moved:
        await conversations.append("t", "s", turn("late"), expected=0)
    assert moved.value.version == 1
    assert await conversations.append("t", "s", turn("late"), expected=0, late=True) == 2
    assert await conversations.load("t", "s") == turn("one") + turn("late")


async def test_what_was_deleted_does_not_come_back_by_a_late_turn(
    conversations: Conversations,
) -> None:
    await say(conversations, "one")
    await conversations.delete("t", "s")
    for late in (False, True):
        with pytest.raises(Moved) as moved:
            await conversations.append("t", "s", turn("late"), expected=1, late=late)
        assert moved.value.version == 0
    await conversations.create("t", "empty", {})
    await conversations.delete("t", "empty")
    with pytest.raises(Moved):
        await conversations.append("t", "empty", turn("late"), expected=0, was_there=True)
    assert await conversations.load("t", "s") == await conversations.load("t", "empty") == []


async def test_of_turns_added_at_once_each_place_has_one_winner(
    make: Make, clean_valkey: EmbeddedValkey
) -> None:
    other_store = Store(RedisSettings(timeout_ms=5000), SystemClock(), clean_valkey.url)
    other = Conversations(other_store, ConversationPolicy(), SystemClock(), seals=SEALS)
    replicas = [make(), other]

    async def add(number: int) -> int:
        """Tries until it is there; how often it lost."""
        conversations, losses = replicas[number % 2], 0
        while True:
            seen = (await conversations.read("t", "s")).version
            try:
                await conversations.append("t", "s", turn(str(number)), expected=seen)
                return losses
            except Moved:
                losses += 1

    try:
        losses = await asyncio.gather(*map(add, range(30)))
        thread = await replicas[0].read("t", "s")
    finally:
        await other_store.close()
    assert sum(losses) > 0
    assert thread.version == 30
    pairs = [t.messages for t in thread.turns]
    assert sorted(map(str, pairs)) == sorted(str(turn(str(i))) for i in range(30))


async def test_an_earlier_place_shows_what_was_there_then(make: Make) -> None:
    conversations = make(max_turns=4)
    await say(conversations, *map(str, range(6)))
    thread = await conversations.read("t", "s", at_version=4)
    assert (thread.at, thread.version) == (4, 6)
    assert thread.messages == turn("2") + turn("3")
    assert (await conversations.read("t", "s", at_version=1)).messages == []
    assert (await conversations.read("t", "s", at_version=9)).version == 6
    assert (await conversations.read("t", "s", at_version=0)).messages == []


async def test_a_long_conversation_is_not_read_whole(make: Make) -> None:
    conversations = make(read_turns=50, read_bytes=4096)
    long = "word " * 40
    await asyncio.gather(
        *(conversations.append("t", "s", [Message("user", long)]) for _ in range(1000))
    )
    thread = await conversations.read("t", "s")
    assert thread.version == 1000
    assert 0 < thread.read_bytes <= 4096
    assert 0 < len(thread.turns) <= 50
    assert thread.turns[-1].number == 999
    assert thread.tokens == 1000 * thread.turns[0].tokens


async def test_one_turn_is_read_however_large_it_is(make: Make) -> None:
    conversations = make(read_bytes=4096)
    await say(conversations, "one")
    await conversations.append("t", "s", [Message("user", "x" * 100_000)])
    assert len((await conversations.read("t", "s")).turns) == 1


# ------------------------------------------------------------------ forks


async def exported(conversations: Conversations, session: str) -> list[Turn]:
    return [t async for page in conversations.export("t", session) for t in page.turns]


async def test_a_fork_has_the_beginning_and_goes_its_own_way(
    make: Make, clean_valkey: EmbeddedValkey
) -> None:
    conversations = make(max_turns=150)
    await conversations.append("t", "s", [Message("system", "be brief"), *turn("0")])
    await say(conversations, *map(str, range(1, 200)))
    assert await conversations.fork("t", "s", 180, "fork") == 180
    await say(conversations, "mine", session="fork")
    fork, source = await exported(conversations, "fork"), await exported(conversations, "s")
    assert [t.number for t in fork] == [*range(50, 180), 180]
    assert fork[:-1] == source[:130]
    assert (fork[-1].messages, source[-1].messages) == (turn("mine"), turn("199"))
    [pin] = (await conversations.read("t", "fork")).pins
    assert pin.messages == [Message("system", "be brief")]
    with Redis.from_url(clean_valkey.url) as client:
        assert client.keys("*draft*") == []


async def test_a_fork_of_what_is_not_there_or_onto_what_is_changes_nothing(
    conversations: Conversations,
) -> None:
    await say(conversations, "one", "two")
    await say(conversations, "mine", session="taken")
    for source, at, target in (("s", 3, "new"), ("none", 1, "new"), ("s", 1, "taken")):
        with pytest.raises(Moved):
            await conversations.fork("t", source, at, target)
    assert await conversations.load("t", "new") == []
    assert await conversations.load("t", "taken") == turn("mine")
    assert await conversations.fork("t", "s", 0, "empty") == 0
    assert await conversations.append("t", "empty", turn("first"), expected=0) == 1


async def test_a_fork_keeps_notes_and_a_summary_that_tells_no_more_than_it_has(
    conversations: Conversations,
) -> None:
    await conversations.create("t", "s", {"topic": "tea"})
    await say(conversations, *"abcdef")
    token = await conversations.claim_summary("t", "s", 4, 60)
    assert await conversations.put_summary("t", "s", 4, "of a to d", token)
    for at, upto in ((3, 0), (5, 4)):
        await conversations.fork("t", "s", at, f"fork{at}")
        thread = await conversations.read("t", f"fork{at}")
        assert thread.metadata == {"topic": "tea"}
        assert (thread.summary.upto if thread.summary else 0) == upto


# ------------------------------------------------------------------ the rest


async def test_a_conversation_is_exported_page_by_page(conversations: Conversations) -> None:
    await conversations.create("t", "s", {"topic": "tea"})
    await say(conversations, *map(str, range(150)))
    pages = [page async for page in conversations.export("t", "s")]
    assert len(pages) == 3
    assert {page.metadata["topic"] for page in pages} == {"tea"}
    assert [t.number for page in pages for t in page.turns] == list(range(150))
    assert [page.turns async for page in conversations.export("t", "none")] == [()]


async def test_metadata_belong_to_what_is_there(conversations: Conversations) -> None:
    assert not await conversations.set_metadata("t", "s", {"a": "1"})
    assert await conversations.create("t", "s", {"a": "1"})
    assert not await conversations.create("t", "s", {"a": "2"})
    thread = await conversations.read("t", "s")
    assert (thread.is_there, thread.version, thread.metadata) == (True, 0, {"a": "1"})
    assert abs(thread.created_at - SystemClock.wall()) < 60
    assert await conversations.set_metadata("t", "s", {"b": "ü"})
    await say(conversations, "one")
    assert (await conversations.read("t", "s")).metadata == {"b": "ü"}
    await say(conversations, "one", session="spoken")
    assert not await conversations.create("t", "spoken", {})


async def test_deleting_deletes_everything_of_it_and_nothing_else(
    make: Make, store: Store, clean_valkey: EmbeddedValkey
) -> None:
    conversations = make()
    names = KeptNames(store, ConversationPolicy(), SEALS)
    responses = Responses(store, ConversationPolicy())
    with Redis.from_url(clean_valkey.url) as client:
        await say(conversations, "other", session="other")
        before = sorted(client.keys("*"))
        await conversations.create("t", "s", {"note": "secret"})
        sealed = names.sealed("t", "s", (("<EMAIL_1>", "ann@example.com"),))
        await conversations.append("t", "s", [Message("system", "pin"), *turn("one")], names=sealed)
        token = await conversations.claim_summary("t", "s", 1, 60)
        assert await conversations.put_summary("t", "s", 1, "it was about one", token)
        await responses.put("t", StoredResponse("r1", "completed", 1, b"{}", thread="s"))
        client.rpush(keys.conversation_draft("t", "s"), "left by somebody who died")
        assert len(client.keys("*")) == len(before) + 6
        assert await conversations.delete("t", "s")
        assert sorted(client.keys("*")) == before
    assert not await conversations.delete("t", "s")
    assert await conversations.load("t", "other") == turn("other")


async def test_nothing_of_a_sealed_conversation_can_be_read_in_redis(
    store: Store, clean_valkey: EmbeddedValkey, caplog: pytest.LogCaptureFixture
) -> None:
    rules = ConversationPolicy()
    conversations = Conversations(store, rules, SystemClock(), seals=SEALS, encrypt=True)
    await conversations.create("t", "s", {"note": "SECRET"})
    said = [Message("system", "SECRET"), Message("user", "SECRET")]
    await conversations.append("t", "s", said)
    token = await conversations.claim_summary("t", "s", 1, 60)
    await conversations.put_summary("t", "s", 1, "SECRET", token)
    await conversations.fork("t", "s", 1, "fork")
    with Redis.from_url(clean_valkey.url) as client:
        kept = [client.dump(name) for name in client.keys("*")]
        assert len(kept) == 4
        assert not any(b"SECRET" in one for one in kept if one)
        client.copy(keys.conversation("t", "s"), keys.conversation("t", "stolen"))
        client.copy(keys.conversation_state("t", "s"), keys.conversation_state("t", "stolen"))
    with caplog.at_level(logging.CRITICAL):
        stolen = await conversations.read("t", "stolen")
        assert (stolen.messages, stolen.summary, stolen.metadata) == ([], None, {})
    assert await conversations.load("t", "fork") == said


def test_sealing_needs_a_key(store: Store) -> None:
    with pytest.raises(ValueError, match="without a key"):
        Conversations(store, ConversationPolicy(), SystemClock(), encrypt=True)


async def test_a_summary_is_made_by_one_and_lost_where_a_message_was_deleted(
    conversations: Conversations,
) -> None:
    await say(conversations, *"abcdef")
    assert not await conversations.claim_summary("t", "s", 7, 60)
    token = await conversations.claim_summary("t", "s", 4, 60)
    assert token
    assert not await conversations.claim_summary("t", "s", 5, 60)
    assert not await conversations.put_summary("t", "s", 4, "x", "another's")
    assert await conversations.put_summary("t", "s", 4, "of a to d", token)
    assert not await conversations.put_summary("t", "s", 4, "again", token)
    summary = (await conversations.read("t", "s")).summary
    assert summary is not None
    assert (summary.upto, summary.text) == (4, "of a to d")
    assert (await conversations.read("t", "s", at_version=3)).summary is None
    assert not await conversations.claim_summary("t", "s", 4, 60)
    token = await conversations.claim_summary("t", "s", 6, 60)
    assert await Items(conversations).delete("t", "s", "msg_5_0")
    assert not await conversations.put_summary("t", "s", 6, "tells of what was deleted", token)
    assert (await conversations.read("t", "s")).summary == summary
    assert await Items(conversations).delete("t", "s", "msg_3_0")
    assert (await conversations.read("t", "s")).summary is None


async def test_a_summary_does_not_outlive_its_conversation(conversations: Conversations) -> None:
    await say(conversations, *"abc")
    token = await conversations.claim_summary("t", "s", 2, 60)
    await conversations.delete("t", "s")
    await say(conversations, *"xyz")
    assert not await conversations.put_summary("t", "s", 2, "of a and b", token)
    assert (await conversations.read("t", "s")).summary is None
