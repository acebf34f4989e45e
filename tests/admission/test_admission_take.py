"""take.lua beside a plain token bucket, on one clock that the test moves."""

from collections.abc import Iterator
from fractions import Fraction
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from serve_app.store.embedded import EmbeddedValkey
from serve_app.store.scripts import load_scripts

START_US = 1_700_000_000_000_000


class Bucket:
    """A token bucket as a textbook has it."""

    def __init__(self, size: int, step_us: int) -> None:
        self.size = size
        self.step_us = step_us
        self.tokens = Fraction(size)
        self.at_us = START_US

    def refill(self, now_us: int) -> None:
        gained = Fraction(now_us - self.at_us, self.step_us)
        self.tokens = min(Fraction(self.size), self.tokens + gained)
        self.at_us = now_us

    def wait_us(self) -> int:
        return int(max(Fraction(0), (1 - self.tokens) * self.step_us))

    def level(self) -> list[int]:
        return [int(self.tokens), int((self.size - self.tokens) * self.step_us)]


def take_all(buckets: list[Bucket], now_us: int) -> list[int]:
    """What the script should answer."""
    for bucket in buckets:
        bucket.refill(now_us)
    waits = [bucket.wait_us() for bucket in buckets]
    longest = max(waits)
    if longest == 0:
        for bucket in buckets:
            bucket.tokens -= 1
    levels = [number for bucket in buckets for number in bucket.level()]
    return [waits.index(longest) + 1 if longest else 0, longest, *levels]


@pytest.fixture
def redis(clean_valkey: EmbeddedValkey) -> Iterator[Redis]:
    with Redis.from_url(clean_valkey.url) as client:
        yield client


def timed_script() -> str:
    """The script on a clock that comes as its last arguments, whose buckets outlive real time."""
    source = load_scripts()["take"].source.decode()
    for real, own in [
        ("redis.call('TIME')", "{ARGV[#ARGV - 1], ARGV[#ARGV]}"),
        ("math.ceil((at - now) / 1000)", "3600000"),
    ]:
        assert source.count(real) == 1
        source = source.replace(real, own)
    return source


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    shapes=st.lists(
        st.tuples(st.integers(1, 6), st.sampled_from([1, 7, 60_000, 8_571_428])),
        min_size=1,
        max_size=3,
    ),
    steps=st.lists(
        st.one_of(st.just(0), st.integers(0, 100), st.integers(0, 20_000_000)), max_size=25
    ),
)
def test_it_is_a_token_bucket(
    redis: Redis, shapes: list[tuple[int, int]], steps: list[int]
) -> None:
    script = timed_script()
    names = [f"{{t}}:{uuid4()}:{i}" for i in range(len(shapes))]
    buckets = [Bucket(*shape) for shape in shapes]
    flat = [number for shape in shapes for number in shape]
    now_us = START_US
    for step in steps:
        now_us += step
        clock = divmod(now_us, 1_000_000)
        got = redis.eval(script, len(names), *names, *flat, *clock)
        assert got == take_all(buckets, now_us)


def test_a_clock_that_goes_back_locks_nobody_out_for_longer_than_the_bucket(redis: Redis) -> None:
    script, shape = timed_script(), (2, 30_000_000)
    redis.eval(script, 1, "b", *shape, 1_700_000_000, 0)
    refused, wait_us, *_ = redis.eval(script, 1, "b", *shape, 1_600_000_000, 0)
    assert refused == 1
    assert wait_us <= 30_000_000


def test_a_smaller_limit_holds_at_once(redis: Redis) -> None:
    script = timed_script()
    for _ in range(5):
        redis.eval(script, 1, "b", 100, 600_000, 1_700_000_000, 0)
    _, _, remaining, _ = redis.eval(script, 1, "b", 2, 30_000_000, 1_700_000_000, 0)
    assert remaining == 0


def test_a_bucket_is_forgotten_when_it_is_full(redis: Redis) -> None:
    redis.eval(load_scripts()["take"].source, 1, "b", 10, 6_000_000)
    assert 5_000 < redis.pttl("b") <= 6_000
