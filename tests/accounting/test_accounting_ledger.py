import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis import Redis

from serve_app.accounting.ledger import OTHER, Ledger, Settlement, Sums
from serve_app.config.structure import RedisSettings
from serve_app.core.clock import FakeClock, SystemClock
from serve_app.store import keys
from serve_app.store.client import Store
from serve_app.store.embedded import EmbeddedValkey

DAY = "2026-01-31"
NOON = 1_769_860_800.0


def settled(user: str = "ann", model: str = "m", **changes: object) -> Settlement:
    values: dict[str, object] = {
        "tenant": "acme",
        "user": user,
        "model": model,
        "backend": "b",
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "cost_micro_usd": 7,
    }
    return Settlement(**{**values, **changes})  # type: ignore[arg-type]


@pytest.fixture
def ledger(store: Store) -> Ledger:
    return Ledger(store, FakeClock(NOON))


class Line:
    """A TCP line to Valkey that can lose what comes back: the ambiguous time-out."""

    def __init__(self, url: str) -> None:
        self._path = url.removeprefix("unix://")
        self.loses_replies = False
        self.lost = asyncio.Event()
        self.running: set[asyncio.Task[None]] = set()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.running.add(asyncio.ensure_future(self.serve(reader, writer)))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_unix_connection(self._path)
        back = asyncio.ensure_future(self._carry_back(far_reader, writer))
        while data := await reader.read(65536):
            far_writer.write(data)
        far_writer.close()
        await back
        writer.close()

    async def _carry_back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if self.loses_replies:
                self.lost.set()
            else:
                writer.write(data)


@asynccontextmanager
async def line_to(valkey: EmbeddedValkey) -> AsyncIterator[tuple[Line, Store]]:
    line = Line(valkey.url)
    server = await asyncio.start_server(line.accept, "127.0.0.1", 0)
    url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    settings = RedisSettings(timeout_ms=100, breaker_failures=1000)
    store = Store(settings, SystemClock(), url)
    async with server:
        yield line, store
        await store.close()
        await asyncio.gather(*line.running)


async def test_sums_by_tenant_user_and_model(ledger: Ledger) -> None:
    ledger.record(settled("ann", "small"))
    ledger.record(settled("ann", "large", cost_micro_usd=100))
    ledger.record(settled("bob", "small", status="failed", cost_micro_usd=0))
    ledger.record(settled("zoe", tenant="other"))
    assert await ledger.flush()
    totals = await ledger.totals("acme")
    assert totals.total == Sums(3, 1, 30, 15, 107)
    assert totals.users == {"ann": Sums(2, 0, 20, 10, 107), "bob": Sums(1, 1, 10, 5, 0)}
    assert totals.models == {"small": Sums(2, 1, 20, 10, 7), "large": Sums(1, 0, 10, 5, 100)}
    assert (await ledger.totals("other")).total.requests == 1
    assert (await ledger.totals("nobody")).total == Sums()


async def test_what_the_cache_served_is_a_sum_of_its_own(ledger: Ledger) -> None:
    ledger.record(settled(cache_level="l2", cost_micro_usd=0, saved_micro_usd=7))
    ledger.record(settled(cache_level="miss"))
    await ledger.flush()
    total = (await ledger.totals("acme")).total
    assert (total.cached, total.cached_tokens, total.saved_micro_usd) == (1, 15, 7)
    assert (total.requests, total.prompt_tokens, total.cost_micro_usd) == (2, 10, 7)


async def test_each_day_has_sums_of_its_own(store: Store) -> None:
    clock = FakeClock(NOON)
    ledger = Ledger(store, clock)
    ledger.record(settled())
    clock.advance(86400)
    ledger.record(settled())
    await ledger.flush()
    assert (await ledger.totals("acme", [DAY])).total.requests == 1
    assert (await ledger.totals("acme", [DAY, "2026-02-01"])).total.requests == 2
    assert (await ledger.totals("acme")).total.requests == 1


async def test_replicas_add_up(store: Store) -> None:
    replicas = [Ledger(store, FakeClock(NOON)) for _ in range(3)]
    for replica in replicas:
        replica.record(settled())
    await asyncio.gather(*(replica.flush() for replica in replicas))
    assert (await replicas[0].totals("acme")).total.requests == 3


async def test_names_from_outside_are_only_names(ledger: Ledger) -> None:
    wild = ["a:b", "requests:x", "{}", "名", "x" * 5000, ""]
    for user in wild:
        ledger.record(settled(user))
    await ledger.flush()
    users = (await ledger.totals("acme")).users
    assert set(users) > {"a:b", "requests:x", "{}", "名", ""}
    assert len(users) == len(wild)
    assert all(sums.requests == 1 for sums in users.values())
    assert max(map(len, users)) < 130


async def test_a_batch_whose_confirmation_was_lost_is_added_once(
    clean_valkey: EmbeddedValkey,
) -> None:
    async with line_to(clean_valkey) as (line, store):
        ledger = Ledger(store, FakeClock(NOON))
        ledger.record(settled())
        assert await ledger.flush()
        line.loses_replies = True
        ledger.record(settled())
        assert not await ledger.flush()
        await line.lost.wait()
        ledger.record(settled())
        assert not await ledger.flush()
        with Redis.from_url(clean_valkey.url) as redis:
            key = keys.ledger_day("acme", DAY, "total")
            assert redis.hget(key, "requests:") == b"2"
        assert ledger.waiting == 2
        line.loses_replies = False
        assert await ledger.flush()
        assert ledger.waiting == 0
        assert (await ledger.totals("acme")).total.requests == 3


async def test_one_tenant_that_cannot_be_booked_does_not_hold_up_the_others(
    ledger: Ledger, store: Store
) -> None:
    await store.set(keys.ledger_day("acme", DAY, "total"), b"in the way")
    for _ in range(2):
        ledger.record(settled())
        ledger.record(settled(tenant="other"))
        assert not await ledger.flush()
    assert (await ledger.totals("other")).total.requests == 2
    assert ledger.waiting == 2


async def test_many_rows_go_in_several_batches(ledger: Ledger) -> None:
    for i in range(1000):
        ledger.record(settled(f"user-{i}"))
    for i in range(50):
        ledger.record(settled(tenant=f"tenant-{i}"))
    assert await ledger.flush()
    totals = await ledger.totals("acme")
    assert totals.total.requests == len(totals.users) == 1000
    assert (await ledger.totals("tenant-49")).total.requests == 1


async def test_memory_is_bounded_and_no_cost_is_lost(store: Store) -> None:
    ledger = Ledger(store, FakeClock(NOON), max_rows=10)
    for i in range(100):
        ledger.record(settled(f"user-{i}"))
    assert ledger.waiting == 100
    await ledger.flush()
    totals = await ledger.totals("acme")
    assert totals.total.cost_micro_usd == 700
    assert totals.users[OTHER].requests == 90


async def test_the_background_task_flushes(store: Store) -> None:
    ledger = Ledger(store, FakeClock(NOON), interval_s=0.01)
    ledger.start()
    ledger.record(settled())
    async with asyncio.timeout(10):
        while ledger.waiting:
            await asyncio.sleep(0.01)
    await ledger.close()
    assert (await ledger.totals("acme")).total.requests == 1


async def test_closing_flushes_what_is_left(store: Store) -> None:
    ledger = Ledger(store, FakeClock(NOON), interval_s=3600)
    ledger.start()
    ledger.record(settled())
    await ledger.close()
    assert ledger.dropped == 0
    assert (await ledger.totals("acme")).total.requests == 1


async def test_closing_without_redis_ends_and_says_what_is_lost(
    clean_valkey: EmbeddedValkey, caplog: pytest.LogCaptureFixture
) -> None:
    async with line_to(clean_valkey) as (line, store):
        line.loses_replies = True
        ledger = Ledger(store, FakeClock(NOON))
        ledger.start()
        ledger.record(settled())
        ledger.record(settled())
        await ledger.close(0.3)
    assert ledger.dropped == 2
    assert "2 settlements are lost" in caplog.text


async def test_a_flush_ends_while_settlements_keep_coming(ledger: Ledger) -> None:
    ended = asyncio.Event()

    async def keep_coming() -> None:
        while not ended.is_set():
            ledger.record(settled())
            await asyncio.sleep(0)

    ledger.record(settled())
    coming = asyncio.create_task(keep_coming())
    try:
        assert await asyncio.wait_for(ledger.flush(), 20)
    finally:
        ended.set()
        await coming
    assert ledger.waiting > 0, "what came meanwhile waits for the next one"
    assert await ledger.flush()
    assert ledger.waiting == 0
