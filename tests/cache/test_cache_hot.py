from __future__ import annotations

import asyncio

from cache_world import filled, stage, until
from redis import Redis

from serve_app.cache.hot import KEPT, MOST_PENDING, TEXT_CHARS, HotQuestions
from serve_app.config.structure import RedisSettings
from serve_app.core.clock import SystemClock
from serve_app.core.kept import Found, Hot, Lookup, Question, TopQuery
from serve_app.store import keys
from serve_app.store.client import Store
from serve_app.store.embedded import EmbeddedValkey

MISS = Found("miss")
HIT = Found("l1")


def asking(name: str, text: str | None = None, tenant: str = "t") -> Lookup:
    return Lookup(name, tenant, question=Question("p", text or f"What is {name}?"))


async def top(store: Store, tenant: str = "t", limit: int = 20) -> list[Hot]:
    return await HotQuestions(store).top(TopQuery(tenant, limit))


async def test_lookups_through_the_stage_are_counted_over_replicas(store: Store) -> None:
    one, other = stage(store), stage(store)
    await one.lookup([asking("a"), asking("b")])
    await one.fill([filled("a")])
    await other.lookup([asking("a"), asking("a"), Lookup("a", "t"), asking("a", tenant="u")])
    await other.top([])
    [mine, others] = await one.top([TopQuery("t"), TopQuery("nobody")])
    assert mine == [Hot("a", "What is a?", 3, 2), Hot("b", "What is b?", 1, 0)]
    assert others == []


async def test_it_adds_up_by_itself(store: Store) -> None:
    cache = stage(store)
    cache.start()
    try:
        await cache.lookup([asking("a")])

        async def is_there() -> bool:
            return await top(store) != []

        await until(is_there)
    finally:
        await cache.close()


async def test_what_was_counted_last_is_told_when_it_stops(store: Store) -> None:
    cache = stage(store)
    cache.start()
    await cache.lookup([asking("a")])
    await cache.close()
    assert [hot.asked for hot in await top(store)] == [1]


async def test_the_most_asked_come_first_and_only_so_many(store: Store) -> None:
    hot = HotQuestions(store)
    for number in range(30):
        for _ in range(number + 1):
            hot.note(asking(f"q{number:02}"), MISS)
    await hot.flush()
    assert [item.asked for item in await hot.top(TopQuery("t", 3))] == [30, 29, 28]
    assert len(await hot.top(TopQuery("t", 10_000))) == 30
    assert await hot.top(TopQuery("t", 0)) == []


async def test_redis_keeps_the_most_asked_within_bounds(store: Store) -> None:
    hot = HotQuestions(store)
    for turn in range(2):
        for number in range(KEPT):
            hot.note(asking(f"{turn}:{number}"), HIT)
        if turn == 0:
            hot.note(asking("0:7"), HIT)
        await hot.flush()
    sizes = await store.pipeline(
        [
            ("ZCARD", keys.hot_questions("t", "asked")),
            ("HLEN", keys.hot_questions("t", "hits")),
            ("HLEN", keys.hot_questions("t", "texts")),
        ]
    )
    assert sizes[0] == sizes[1] == sizes[2] == KEPT
    assert (await hot.top(TopQuery("t", 1)))[0] == Hot("0:7", "What is 0:7?", 2, 2)


async def test_counts_fade_and_what_is_not_asked_again_goes(
    store: Store, clean_valkey: EmbeddedValkey
) -> None:
    hot = HotQuestions(store)
    for name, times in (("a", 9), ("b", 1)):
        for _ in range(times):
            hot.note(asking(name), HIT)
    await hot.flush()
    with Redis.from_url(clean_valkey.url) as client:
        assert 86_000 < int(client.ttl(keys.hot_questions("t", "faded"))) <= 86_400
        client.delete(keys.hot_questions("t", "faded"))  # a day has passed
    hot.note(asking("c"), MISS)
    await hot.flush()
    assert await hot.top(TopQuery("t")) == [
        Hot("a", "What is a?", 4, 4),
        Hot("c", "What is c?", 1, 0),
    ]


async def test_texts_are_cut_and_may_be_anything(store: Store) -> None:
    hot = HotQuestions(store)
    texts = ["长" * 1000, "a\ud800b", "\x00\r\n", ""]
    for number, text in enumerate(texts):
        hot.note(Lookup(str(number), "t", question=Question("p", text)), MISS)
    await hot.flush()
    found = {item.fingerprint: item.text for item in await top(store)}
    assert found == {"0": "长" * TEXT_CHARS, "1": "a?b", "2": "\x00\r\n", "3": ""}


async def test_without_redis_counts_wait_within_bounds(own_valkey: EmbeddedValkey) -> None:
    settings = RedisSettings(timeout_ms=5000, breaker_open_s=0.01)
    store = Store(settings, SystemClock(), own_valkey.url)
    try:
        hot = HotQuestions(store)
        await asyncio.to_thread(own_valkey.stop)
        for number in range(MOST_PENDING + 500):
            hot.note(asking(str(number)), MISS)
        assert not await hot.flush()
        hot.note(asking("0"), HIT)
        assert not await hot.flush()
        assert await stage(store).top([TopQuery("t")]) == [[]]
        await asyncio.to_thread(own_valkey.start)
        await until(hot.flush)
        assert (await top(store))[0] == Hot("0", "What is 0?", 2, 1)
        [counted] = await store.pipeline([("ZCARD", keys.hot_questions("t", "asked"))])
        assert counted <= KEPT * 1.5
    finally:
        await store.close()
