from __future__ import annotations

import gc
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.cache.memory import Memory, size_of
from serve_app.cache.packing import pack, unpack
from serve_app.core.clock import FakeClock
from serve_app.core.types import Entry


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


SIZE = size_of(entry())


def test_gives_back_what_was_put() -> None:
    memory = Memory(10_000, FakeClock())
    assert memory.put("a", entry(b"hello"))
    found = memory.get("a")
    assert found is not None
    assert found.payload == b"hello"
    assert memory.get("b") is None


def test_the_least_recently_used_goes_first() -> None:
    memory = Memory(2 * SIZE, FakeClock())
    memory.put("a", entry())
    memory.put("b", entry())
    memory.get("a")
    memory.put("c", entry())
    assert memory.get("b") is None
    assert memory.get("a") is not None
    assert memory.get("c") is not None


def test_an_expired_entry_is_gone_and_gives_back_its_room() -> None:
    clock = FakeClock(100.0)
    memory = Memory(10_000, clock)
    memory.put("a", entry(expires_at=110.0))
    clock.advance(9.9)
    assert memory.get("a") is not None
    clock.advance(0.1)
    assert memory.get("a") is None
    assert (len(memory), memory.held_bytes) == (0, 0)


def test_an_entry_without_expiry_stays() -> None:
    clock = FakeClock()
    memory = Memory(10_000, clock)
    memory.put("a", entry())
    clock.advance(1e9)
    assert memory.get("a") is not None


def test_refuses_what_has_expired_or_can_never_fit() -> None:
    memory = Memory(1000, FakeClock(100.0))
    assert not memory.put("a", entry(expires_at=100.0))
    assert not memory.put("b", entry(b"x" * 1000))
    assert memory.held_bytes == 0


def test_a_newer_answer_takes_the_place_of_an_older_one() -> None:
    memory = Memory(10_000, FakeClock())
    memory.put("a", entry(b"old" * 100))
    memory.put("a", entry(b"new"))
    assert memory.get("a") == entry(b"new")
    assert memory.held_bytes == size_of(entry(b"new"))


def test_an_answer_too_large_to_keep_removes_the_outdated_one() -> None:
    memory = Memory(1000, FakeClock())
    memory.put("a", entry())
    memory.put("a", entry(b"x" * 1000))
    assert memory.get("a") is None


def test_clear_forgets_everything() -> None:
    memory = Memory(10_000, FakeClock())
    memory.put("a", entry())
    memory.clear()
    assert (len(memory), memory.held_bytes, memory.get("a")) == (0, 0, None)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 1500)), max_size=40))
def test_is_never_above_its_bound_and_counts_right(puts: list[tuple[str, int]]) -> None:
    memory = Memory(3000, FakeClock())
    for name, length in puts:
        memory.put(name, entry(b"x" * length))
        held = [found for key in "abcdef" if (found := memory.get(key)) is not None]
        assert len(held) == len(memory)
        assert sum(map(size_of, held)) == memory.held_bytes <= 3000


@pytest.mark.parametrize("through_redis", [False, True])
def test_counts_about_the_bytes_that_python_takes(through_redis: bool) -> None:
    entries, payload = 2000, 300
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        memory = Memory(1 << 40, FakeClock())
        for number in range(entries):
            new = entry(bytes([number % 256]) * payload, expires_at=2e9 + number)
            memory.put(f"{number:064x}", unpack(pack(new), 10_000) if through_redis else new)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 0.8 <= memory.held_bytes / (after - before) <= 1.4
