"""Counts of several processes become one total: the script beside the same rule in plain Python."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from serve_app.store import keys
from serve_app.store.embedded import EmbeddedValkey
from serve_app.store.scripts import load_scripts

LIMIT = 6
WRITERS = ("a", "b", "c")
WHERE = [keys.metrics(kind) for kind in ("totals", "examples", "gauges")]


@pytest.fixture
def redis(clean_valkey: EmbeddedValkey) -> Iterator[Redis]:
    with Redis.from_url(clean_valkey.url) as client:
        yield client


class Model:
    """The rule: a writer's batch counts once, however often it comes; no field above the limit."""

    def __init__(self) -> None:
        self.totals: dict[str, int] = {}
        self._numbers: dict[str, int] = {}

    def apply(self, writer: str, number: int, batch: dict[str, int]) -> None:
        if number <= self._numbers.get(writer, 0):
            return
        self._numbers[writer] = number
        for field, count in batch.items():
            is_one_too_many = field not in self.totals and len(self.totals) >= LIMIT
            name = "m\nl=other\n" if is_one_too_many else field
            self.totals[name] = self.totals.get(name, 0) + count


def push(
    redis: Redis, writer: str, number: int, batch: dict[str, int], gauges: bytes = b""
) -> None:
    pack = msgspec.msgpack.encode
    parts = [part for pair in batch.items() for part in pair]
    words = (writer, number, pack(parts), pack([]), gauges, 6000, 60, LIMIT, 0)
    where = [*WHERE, keys.metrics_writer(writer)]
    redis.execute_command("EVAL", load_scripts()["metrics"].source, 4, *where, *words)


batches = st.dictionaries(
    st.sampled_from([f"m\nl={value}\n" for value in "abcdefghi"]), st.integers(0, 2**50), max_size=5
)
steps = st.lists(st.tuples(st.sampled_from(WRITERS), batches, st.integers(1, 3)), max_size=12)


@given(steps)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_every_batch_counts_once_however_often_it_comes(
    redis: Redis, steps: list[tuple[str, dict[str, int], int]]
) -> None:
    redis.flushall()
    model, numbers = Model(), dict.fromkeys(WRITERS, 0)
    for writer, batch, times in steps:
        numbers[writer] += 1
        for _ in range(times):
            push(redis, writer, numbers[writer], batch)
            model.apply(writer, numbers[writer], batch)
    stored: dict[bytes, bytes] = redis.execute_command("HGETALL", WHERE[0])
    kept = {field.decode(): int(total) for field, total in stored.items()}
    assert kept == model.totals
    assert sum(kept.values()) == sum(sum(batch.values()) for _, batch, _ in steps)


def test_numbers_of_writers_do_not_stay_for_ever(redis: Redis) -> None:
    push(redis, "a", 1, {"m\nl=a\n": 1})
    assert 0 < redis.ttl(keys.metrics_writer("a")) <= 60


def test_gauges_of_a_process_that_left_are_gone_at_once(redis: Redis) -> None:
    push(redis, "a", 1, {}, b"told")
    push(redis, "b", 1, {}, b"told, too")
    push(redis, "a", 2, {}, b"-")
    assert list(redis.hgetall(WHERE[2])) == [b"b"]
