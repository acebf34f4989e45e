"""Keys in Redis: what one replica does, all know within a second; and what they know without it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from keys_world import Replica, replica, until
from redis import Redis

from serve_app.admission import directory as directories
from serve_app.admission.records import pack
from serve_app.core.api_key import digest
from serve_app.core.errors import BadRequest, NotFound, Overloaded
from serve_app.core.key_record import KeyChange, KeyQuery, KeyRecord, KeyTerms
from serve_app.store import keys
from serve_app.store.embedded import EmbeddedValkey

REVOKED_WITHIN_S = 1.0
TERMS = KeyTerms("acme")


@pytest.fixture
async def three(clean_valkey: EmbeddedValkey) -> AsyncIterator[list[Replica]]:
    async with AsyncExitStack() as stack:
        found = [await stack.enter_async_context(replica(clean_valkey.url, name)) for name in "abc"]
        await until(lambda: all(one.directory.is_loaded for one in found))
        yield found


@pytest.fixture
async def alone(clean_valkey: EmbeddedValkey) -> AsyncIterator[Replica]:
    """A replica that listens only when it is told to."""
    async with replica(clean_valkey.url, "alone", start=False) as one:
        yield one


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    """A server that a test may kill."""
    server = EmbeddedValkey(tmp_path / "v")
    server.start()
    try:
        yield server
    finally:
        server.stop()


def kill(server: EmbeddedValkey) -> None:
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    server.stop()


# ------------------------------------------------------- reaching everybody


async def test_a_key_is_good_here_at_once_and_everywhere_soon(three: list[Replica]) -> None:
    made = await three[0].registrar.create(TERMS)
    assert three[0].takes(made.key)
    assert await until(lambda: all(one.takes(made.key) for one in three)) < REVOKED_WITHIN_S
    assert not three[1].takes(made.key + "x")


async def test_a_disabled_key_is_refused_here_at_once_and_everywhere_within_a_second(
    three: list[Replica],
) -> None:
    made = await three[0].registrar.create(TERMS)
    await until(lambda: all(one.takes(made.key) for one in three))
    await three[2].registrar.disable(made.record.id)
    assert not three[2].takes(made.key)
    assert await until(lambda: not any(one.takes(made.key) for one in three)) < REVOKED_WITHIN_S
    await three[1].registrar.enable(made.record.id)
    assert await until(lambda: all(one.takes(made.key) for one in three)) < REVOKED_WITHIN_S
    await three[1].registrar.forget(made.record.id)
    assert await until(lambda: not any(one.takes(made.key) for one in three)) < REVOKED_WITHIN_S


async def test_a_rotated_key_has_a_successor_everywhere(three: list[Replica]) -> None:
    old = await three[0].registrar.create(KeyTerms("acme", "ann", limits={"parallel": 2}))
    new = await three[1].registrar.rotate(old.record.id)
    assert (three[1].takes(old.key), three[1].takes(new.key)) == (False, True)
    assert new.record.limits == {"parallel": 2}
    took = await until(lambda: all(one.takes(new.key) and not one.takes(old.key) for one in three))
    assert took < REVOKED_WITHIN_S


async def test_with_grace_the_old_key_stays_good_for_so_long(alone: Replica) -> None:
    old = await alone.registrar.create(TERMS)
    new = await alone.registrar.rotate(old.record.id, grace_s=1)
    assert (alone.takes(old.key), alone.takes(new.key)) == (True, True)
    await until(lambda: not alone.takes(old.key))
    assert alone.takes(new.key)


async def test_a_key_ends_when_it_expires(alone: Replica) -> None:
    await alone.directory.catch_up()
    made = await alone.registrar.create(KeyTerms("acme", expires_at=int(alone.directory.now()) + 2))
    assert alone.takes(made.key)
    await until(lambda: not alone.takes(made.key))


async def test_a_change_is_seen_by_whoever_looks_next(three: list[Replica]) -> None:
    made = await three[0].registrar.create(TERMS)
    change = KeyChange(models=("gpt-*",), limits={"parallel": 1})
    await three[1].registrar.change(made.record.id, change)
    seen = await three[2].registrar.get(made.record.id)
    assert (seen.models, seen.limits, seen.tenant) == (("gpt-*",), {"parallel": 1}, "acme")
    page = await three[2].registrar.list(KeyQuery("acme"))
    assert page.records == [seen]


async def test_changes_of_one_key_at_the_same_time_are_all_made(three: list[Replica]) -> None:
    made = await three[0].registrar.create(TERMS)
    changes = [
        KeyChange(note="n"), KeyChange(team="t"), KeyChange(paths=("/p",)),
    ]  # fmt: skip
    await asyncio.gather(
        *(
            one.registrar.change(made.record.id, change)
            for one, change in zip(three, changes, strict=True)
        )
    )
    seen = await three[0].registrar.get(made.record.id)
    assert (seen.note, seen.team, seen.paths, seen.version) == ("n", "t", ("/p",), 4)


# ----------------------------------------------------------------- what is said


async def test_what_cannot_be_is_said(alone: Replica) -> None:
    with pytest.raises(NotFound, match="'none'"):
        await alone.registrar.get("none")
    with pytest.raises(BadRequest, match="past") as refused:
        await alone.registrar.create(KeyTerms("t", expires_at=1))
    assert refused.value.param == "expires_at"
    with pytest.raises(BadRequest) as refused:
        await alone.registrar.create(KeyTerms("t", limits={"rpm": 1}))
    assert refused.value.param == "limits.rpm"
    made = await alone.registrar.create(TERMS)
    with pytest.raises(BadRequest):
        await alone.registrar.change(made.record.id, KeyChange(expires_at=5))
    await alone.registrar.disable(made.record.id)
    with pytest.raises(BadRequest, match="disabled"):
        await alone.registrar.rotate(made.record.id)


async def test_there_are_not_more_keys_than_there_may_be(
    alone: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directories, "MOST_KEYS", 2)
    first = await alone.registrar.create(TERMS)
    await alone.registrar.create(TERMS)
    for attempt in (alone.registrar.create(TERMS), alone.registrar.rotate(first.record.id)):
        with pytest.raises(BadRequest) as refused:
            await attempt
        assert refused.value.code == "too_many_keys"
    assert alone.takes(first.key)
    await alone.registrar.forget(first.record.id)
    await alone.registrar.create(TERMS)


async def test_no_key_is_in_redis(alone: Replica, clean_valkey: EmbeddedValkey) -> None:
    made = await alone.registrar.create(TERMS)
    new = await alone.registrar.rotate(made.record.id)
    with Redis.from_url(clean_valkey.url) as client:
        names = client.keys("*")
        held = [*client.hgetall(keys.api_keys("records")).values()]
        for _, fields in client.xrange(keys.api_keys("changes")):
            held += fields.values()
        stored = b"".join(held)
    assert all(b"{[keys]}" in name for name in names)
    assert made.record.sha256.encode() in stored
    for key in (made.key, new.key):
        assert key.encode() not in stored
        assert key[9:52].encode() not in stored


# -------------------------------------------------------- missing something


async def test_a_replica_that_comes_late_knows_every_key(
    alone: Replica, clean_valkey: EmbeddedValkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directories, "PAGE", 7)
    monkeypatch.setattr(directories, "MOST_CHANGES", 10)
    made = [await alone.registrar.create(TERMS) for _ in range(40)]
    await alone.registrar.disable(made[3].record.id)
    async with replica(clean_valkey.url, "late") as late:
        await until(lambda: late.directory.is_loaded)
        assert [late.takes(one.key) for one in made] == [one is not made[3] for one in made]


async def test_who_missed_many_changes_hears_of_all_of_them(
    alone: Replica, clean_valkey: EmbeddedValkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directories, "PAGE", 3)
    async with replica(clean_valkey.url, "other", start=False) as other:
        await other.directory.catch_up()
        made = [await alone.registrar.create(TERMS) for _ in range(10)]
        await other.directory.catch_up()
        assert all(other.takes(one.key) for one in made)


async def test_who_missed_more_than_the_stream_keeps_reads_everything(
    alone: Replica,
    clean_valkey: EmbeddedValkey,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(directories, "MOST_CHANGES", 5)
    async with replica(clean_valkey.url, "other", start=False) as other:
        gone = await alone.registrar.create(TERMS)
        await other.directory.catch_up()
        await alone.registrar.forget(gone.record.id)
        made = [await alone.registrar.create(TERMS) for _ in range(10)]
        await other.directory.catch_up()
        assert all(other.takes(one.key) for one in made)
        assert not other.takes(gone.key)
        assert "read again" in caplog.text


async def test_a_redis_that_lost_its_memory_has_no_keys(
    alone: Replica, clean_valkey: EmbeddedValkey
) -> None:
    made = await alone.registrar.create(TERMS)
    with Redis.from_url(clean_valkey.url) as client:
        client.flushall()
    await alone.directory.catch_up()
    assert not alone.takes(made.key)
    again = await alone.registrar.create(TERMS)
    assert alone.takes(again.key)


@pytest.mark.parametrize("stored", [b"", b"nonsense", b"2:\xff\xff", b"2:" + pack(
    KeyRecord("ff" * 32, "another"))[2:], pack(KeyRecord(digest("x").hex(), "t", version=2,
    limits={"unheard_of": 1}))])  # fmt: skip
async def test_a_record_that_cannot_be_read_is_of_nobody(
    alone: Replica,
    clean_valkey: EmbeddedValkey,
    stored: bytes,
    caplog: pytest.LogCaptureFixture,
) -> None:
    record = KeyRecord(digest("x").hex(), "t")
    assert await alone.directory.put([(None, record)])
    await alone.directory.catch_up()
    assert alone.takes("x")
    with Redis.from_url(clean_valkey.url) as client:
        client.hset(keys.api_keys("records"), record.id, stored)
        client.xadd(keys.api_keys("changes"), {"id": record.id, "record": stored})
    await alone.directory.catch_up()
    assert not alone.takes("x")
    assert (record.id in caplog.text) == (stored != b"")
    async with replica(clean_valkey.url, "late", start=False) as late:
        await late.directory.catch_up()
        assert not late.takes("x")


async def test_an_old_change_does_not_undo_a_newer_one(
    alone: Replica, clean_valkey: EmbeddedValkey
) -> None:
    async with replica(clean_valkey.url, "other", start=False) as other:
        made = await alone.registrar.create(TERMS)
        await other.directory.catch_up()
        await other.registrar.change(made.record.id, KeyChange(note="of the other"))
        before = other.directory.get(made.record.id)
        assert before is not None
        assert not await alone.directory.put([(made.record, made.record)])
        assert await alone.registrar.disable(made.record.id)
        seen = alone.directory.get(made.record.id)
        assert seen is not None
        assert (seen.note, seen.disabled, seen.version) == ("of the other", True, 3)


# ------------------------------------------------------------- Redis away


async def test_without_redis_known_keys_stay_good_and_nothing_changes(
    own_valkey: EmbeddedValkey,
) -> None:
    async with replica(own_valkey.url, "a") as one, replica(own_valkey.url, "b") as other:
        made = await one.registrar.create(TERMS)
        await until(lambda: other.takes(made.key) and other.directory.live_replicas == 2)
        await asyncio.to_thread(kill, own_valkey)
        for attempt in (
            one.registrar.create(TERMS),
            one.registrar.disable(made.record.id),
            one.registrar.list(KeyQuery()),
        ):
            with pytest.raises(Overloaded) as refused:
                await attempt
            assert (refused.value.code, refused.value.status) == ("keys_unavailable", 503)
        stale_s = one.directory.stale_s
        await until(lambda: one.directory.stale_s > stale_s + 0.5)
        assert one.takes(made.key)
        assert other.takes(made.key)
        assert other.directory.live_replicas == 2
        await asyncio.to_thread(own_valkey.start)
        await until(lambda: max(x.directory.stale_s for x in (one, other)) < 0.5)
        await one.registrar.disable(made.record.id)
        assert await until(lambda: not other.takes(made.key)) < REVOKED_WITHIN_S


async def test_a_replica_that_never_saw_redis_knows_that_it_knows_nothing(
    own_valkey: EmbeddedValkey,
) -> None:
    async with replica(own_valkey.url, "a", start=False) as one:
        made = await one.registrar.create(TERMS)
        await asyncio.to_thread(kill, own_valkey)
        async with replica(own_valkey.url, "b") as late:
            with pytest.raises(Overloaded):
                await late.registrar.get(made.record.id)
            assert not late.directory.is_loaded
            assert late.directory.stale_s == float("inf")
            assert late.directory.live_replicas == 1
            await asyncio.to_thread(own_valkey.start)
            await until(lambda: late.takes(made.key))


# ------------------------------------------------------------ who is alive


async def test_replicas_are_counted_as_they_come_and_go(
    three: list[Replica], clean_valkey: EmbeddedValkey
) -> None:
    await until(lambda: all(one.directory.live_replicas == 3 for one in three))
    await three[0].directory.close()
    await until(lambda: all(one.directory.live_replicas == 2 for one in three[1:]))
    # One that was killed says nothing any more, and is not counted once its time is over.
    with Redis.from_url(clean_valkey.url) as client:
        at, _ = client.time()
        replicas = keys.api_keys("replicas")
        client.zadd(replicas, {"killed": at * 1000 - 2000, "of another clock": at * 1000 + 10**7})
    await three[1].directory.catch_up()
    assert three[1].directory.live_replicas == 3
    await until(lambda: all(one.directory.live_replicas == 2 for one in three[1:]))
