from __future__ import annotations

import gc
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.cache.memory import Memory, size_of
from serve_app.cache.packing import pack, unpack
from serve_app.core.clock import FakeClock
from serve_app.core.kept import Entry, Purge

T = "tenant"


def entry(payload: bytes = b"x", expires_at: float = 0.0) -> Entry:
    return Entry(
        streamed=False,
        payload=payload,
        backend="alpha",
        model="mini",
        prompt_tokens=1,
        completion_tokens=2,
        cost_micro_usd=3,
        stored_at=0.0,
        expires_at=expires_at,
    )


SIZE = size_of(T, entry())


def test_gives_back_what_was_put() -> None:
    memory = Memory(10_000, FakeClock())
    assert memory.put(T, "a", entry(b"hello"))
    found = memory.get(T, "a")
    assert found is not None
    assert found.payload == b"hello"
    assert memory.get(T, "b") is None


def room_for(entries: int) -> Memory:
    """A memory with room for so many small entries, none of it in the window."""
    return Memory(entries * SIZE, FakeClock())


def look(memory: Memory, name: str, times: int) -> None:
    for _ in range(times):
        memory.get(T, name)


def test_a_new_entry_that_is_asked_for_more_often_takes_an_old_ones_place() -> None:
    memory = room_for(2)
    assert memory.put(T, "a", entry())
    assert memory.put(T, "b", entry())
    look(memory, "b", 1)
    look(memory, "c", 2)
    assert memory.put(T, "c", entry())
    assert [memory.get(T, name) is not None for name in "abc"] == [False, True, True]


def test_a_new_entry_that_is_asked_for_less_often_is_not_kept() -> None:
    memory = room_for(2)
    for name in "ab":
        memory.put(T, name, entry())
        look(memory, name, 3)
    look(memory, "c", 2)
    assert not memory.put(T, "c", entry())
    assert [memory.get(T, name) is not None for name in "abc"] == [True, True, False]


def test_a_crowd_of_answers_asked_once_does_not_drive_out_the_hot_ones() -> None:
    usual = entry(b"x" * 1500)
    memory = Memory(100 * size_of(T, usual), FakeClock())
    hot = [f"hot{number}" for number in range(80)]
    for name in hot:
        look(memory, name, 4)
        memory.put(T, name, usual)
    for number in range(400):
        look(memory, f"once{number}", 1)
        memory.put(T, f"once{number}", usual)
    # Counts are estimates: one or two of the crowd may pass for hot. By recency alone none stays.
    assert sum(memory.get(T, name) is not None for name in hot) >= 72


def test_what_was_hot_once_goes_when_the_world_asks_for_other_things() -> None:
    memory = room_for(100)
    for phase in ("old", "new"):
        for turn in range(4000):
            name = f"{phase}{turn % 80}"
            if memory.get(T, name) is None:
                memory.put(T, name, entry())
    assert sum(memory.get(T, f"new{number}") is not None for number in range(80)) >= 72


def test_a_large_answer_does_not_drive_out_many_small_ones_that_are_asked_for_as_often() -> None:
    memory = room_for(20)
    for number in range(20):
        look(memory, f"small{number}", 2)
        memory.put(T, f"small{number}", entry())
    look(memory, "large", 3)
    assert not memory.put(T, "large", entry(b"x" * 3 * SIZE))
    assert len(memory) == 20
    look(memory, "large", 9)
    assert memory.put(T, "large", entry(b"x" * 3 * SIZE))


def test_a_large_memory_gives_every_new_entry_a_while() -> None:
    memory = Memory(1000 * SIZE, FakeClock())
    for number in range(1000):
        look(memory, f"hot{number}", 3)
        memory.put(T, f"hot{number}", entry())
    assert memory.put(T, "new", entry())
    assert memory.get(T, "new") is not None
    assert memory.held_bytes <= 1000 * SIZE


def test_what_has_expired_makes_room_however_hot_it_was() -> None:
    clock = FakeClock(100.0)
    memory = Memory(2 * SIZE, clock)
    for name in "ab":
        look(memory, name, 9)
        memory.put(T, name, entry(expires_at=110.0))
    clock.advance(10)
    look(memory, "c", 1)
    assert memory.put(T, "c", entry())


def test_tenants_do_not_see_each_others_entries() -> None:
    memory = Memory(10_000, FakeClock())
    memory.put("one", "a", entry(b"1"))
    assert memory.get("two", "a") is None
    memory.put("two", "a", entry(b"2"))
    found = memory.get("one", "a")
    assert found is not None
    assert found.payload == b"1"


def labelled(model: str, tags: tuple[str, ...], stored_at: float) -> Entry:
    return Entry(False, b"x", "alpha", model, 1, 2, 3, stored_at, 0.0, tags=tags)


@pytest.mark.parametrize(
    ("purge", "left"),
    [
        (Purge(), ["late"]),
        (Purge(tenant="one"), ["late", "m2", "other"]),
        (Purge(model="m2"), ["late", "m1", "other"]),
        (Purge(model="alpha/m2"), ["late", "m1", "other"]),
        (Purge(model="beta/m2"), ["late", "m1", "m2", "other"]),
        (Purge(tag="faq"), ["late", "m2"]),
        (Purge(tag="faq", tenant="two"), ["late", "m1", "m2"]),
        (Purge(fingerprint="m1"), ["late", "m2", "other"]),
        (Purge(fingerprint="m1", tenant="two"), ["late", "m1", "m2", "other"]),
    ],
)
def test_a_purge_takes_what_falls_under_all_its_terms_and_is_older(
    purge: Purge, left: list[str]
) -> None:
    memory = Memory(100_000, FakeClock())
    memory.put("one", "m1", labelled("m1", ("faq", "x"), 10.0))
    memory.put("two", "m2", labelled("m2", (), 10.0))
    memory.put("two", "other", labelled("m1", ("faq",), 10.0))
    memory.put("one", "late", labelled("m2", ("faq",), 20.1))
    before = len(memory)
    gone = memory.purge(purge, 20.0)
    there = [n for n in ("late", "m1", "m2", "other") for t in ("one", "two") if memory.get(t, n)]
    assert there == left
    assert (len(memory), gone) == (len(left), before - len(left))


def test_an_answer_is_as_old_as_its_question() -> None:
    memory = Memory(10_000, FakeClock())
    late = labelled("m", (), 30.0)
    late.asked_at = 19.0
    memory.put(T, "a", late)
    assert memory.purge(Purge(), 20.0) == 1


def test_an_expired_entry_is_gone_and_gives_back_its_room() -> None:
    clock = FakeClock(100.0)
    memory = Memory(10_000, clock)
    memory.put(T, "a", entry(expires_at=110.0))
    clock.advance(9.9)
    assert memory.get(T, "a") is not None
    clock.advance(0.1)
    assert memory.get(T, "a") is None
    assert (len(memory), memory.held_bytes) == (0, 0)


def test_an_entry_without_expiry_stays() -> None:
    clock = FakeClock()
    memory = Memory(10_000, clock)
    memory.put(T, "a", entry())
    clock.advance(1e9)
    assert memory.get(T, "a") is not None


def test_refuses_what_has_expired_or_can_never_fit() -> None:
    memory = Memory(1000, FakeClock(100.0))
    assert not memory.put(T, "a", entry(expires_at=100.0))
    assert not memory.put(T, "b", entry(b"x" * 1000))
    assert memory.held_bytes == 0


def test_a_newer_answer_takes_the_place_of_an_older_one() -> None:
    memory = Memory(10_000, FakeClock())
    memory.put(T, "a", entry(b"old" * 100))
    memory.put(T, "a", entry(b"new"))
    assert memory.get(T, "a") == entry(b"new")
    assert memory.held_bytes == size_of(T, entry(b"new"))


def test_an_answer_too_large_to_keep_removes_the_outdated_one() -> None:
    memory = Memory(1000, FakeClock())
    memory.put(T, "a", entry())
    memory.put(T, "a", entry(b"x" * 1000))
    assert memory.get(T, "a") is None


def test_clear_forgets_everything() -> None:
    memory = Memory(10_000, FakeClock())
    memory.put(T, "a", entry())
    memory.clear()
    assert (len(memory), memory.held_bytes, memory.get(T, "a")) == (0, 0, None)


OPERATIONS = st.tuples(
    st.sampled_from(["put", "get", "put", "get", "purge", "wait"]),
    st.sampled_from("abcdefgh"),
    st.integers(0, 4000),
)


@given(st.lists(OPERATIONS, max_size=60), st.sampled_from([3000, 20_000, 200_000]))
def test_is_never_above_its_bound_and_counts_right(
    operations: list[tuple[str, str, int]], bound: int
) -> None:
    clock = FakeClock(100.0)
    memory = Memory(bound, clock)
    put: dict[str, Entry] = {}
    for kind, name, number in operations:
        if kind == "put":
            put[name] = entry(b"x" * number, expires_at=clock.wall() + number)
            assert memory.put(T, name, put[name]) == (memory.get(T, name) is not None)
        elif kind == "get":
            assert memory.get(T, name) in (None, put.get(name))
        elif kind == "purge":
            memory.purge(Purge(fingerprint=name), 1.0)
            put.pop(name, None)
        else:
            clock.advance(number / 10)
        before = memory.held_bytes
        held = [found for key in "abcdefgh" if (found := memory.get(T, key)) is not None]
        assert all(found.expires_at > clock.wall() for found in held)
        assert len(held) == len(memory)
        assert sum(size_of(T, found) for found in held) == memory.held_bytes <= before <= bound


@pytest.mark.parametrize("through_redis", [False, True])
def test_counts_about_the_bytes_that_python_takes(through_redis: bool) -> None:
    entries, payload = 2000, 300
    memory = Memory(1 << 40, FakeClock())
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(entries):
            new = entry(bytes([number % 256]) * payload, expires_at=2e9 + number)
            memory.put(T, f"{number:064x}", unpack(pack(new), 10_000) if through_redis else new)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 0.8 <= memory.held_bytes / (after - before) <= 1.4
