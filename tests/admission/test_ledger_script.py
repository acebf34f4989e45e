"""ledger.lua beside the same arithmetic in plain Python, on one clock that the test moves."""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Raw
from msgspec.msgpack import decode as unpack
from msgspec.msgpack import encode as msgpack
from redis import Redis

from serve_app.admission.share import Account
from serve_app.core.limits import Allowance, Lease, Need, Used
from serve_app.store.embedded import EmbeddedValkey
from serve_app.store.scripts import load_scripts

START_US = 1_769_860_799_000_000  # a second before noon, 2026-01-31: days and months soon end
LEASE_MS = 30_000
HOUR_US = 3_600_000_000


@pytest.fixture
def redis(clean_valkey: EmbeddedValkey) -> Iterator[Redis]:
    with Redis.from_url(clean_valkey.url) as client:
        yield client


def timed_script() -> str:
    """The script on a clock that comes as its last argument, with keys that outlive real time."""
    source = load_scripts()["ledger"].source.decode()
    clock = "local us = tonumber(table.remove(ARGV))\nlocal time = "
    clock += "{tostring(math.floor(us / 1000000)), tostring(us % 1000000)}\n"
    assert source.count("local time = redis.call('TIME')\n") == 1
    return source.replace("local time = redis.call('TIME')\n", clock)


class Books:
    """The script and the model, asked the same things."""

    def __init__(self, redis: Redis, allowances: list[Allowance]) -> None:
        self.run = redis.register_script(timed_script())
        self.redis = redis
        self.tag = f"{{{uuid4().hex}}}"
        self.allowances = allowances
        self.accounts = [Account() for _ in allowances]
        self.now_us = START_US
        self.leases: dict[str, Lease] = {}
        self.charged: dict[str, list[int]] = {}
        self.number = 0

    def keys(self) -> list[str]:
        return [f"{self.tag}:{i}{part}" for i in range(len(self.accounts)) for part in ("", "|h")]

    def call(self, keys: list[str], *args: object) -> Any:
        return self.run(keys=keys, args=[*args, self.now_us])

    def reserve(self, *needs: Need, of: Sequence[int] = ()) -> None:
        """Requests in one call, each charged to the scopes of these numbers (none: to all)."""
        numbers = list(of) or [*range(1, len(self.accounts) + 1)]
        names = [f"lease{self.number + at}" for at in range(1, len(needs) + 1)]
        self.number += len(needs)
        asked = [
            [name, need.input, need.output, need.cost_micro_usd, numbers]
            for name, need in zip(names, needs, strict=True)
        ]
        limits = [Raw(a.packed()) for a in self.allowances]
        said, figures = unpack(
            self.call(self.keys(), "reserve", LEASE_MS, msgpack([limits, asked]))
        )
        expected = [
            self.expected(name, need, numbers) for name, need in zip(names, needs, strict=True)
        ]
        assert said == expected
        assert self.told(figures) == [account.figures() for account in self.accounts]

    def expected(self, name: str, need: Need, numbers: Sequence[int]) -> list[object]:
        worst: list[object] = [0, "-", 0]
        for account, allowance in zip(self.accounts, self.allowances, strict=True):
            account.bring_to(self.now_us, allowance)
        charged = [(self.accounts[i - 1], self.allowances[i - 1]) for i in numbers]
        for place, (account, allowance) in enumerate(charged, start=1):
            found = account.obstacle(allowance, need, self.now_us)
            if found and worst[2] >= 0 and (found[1] < 0 or found[1] > worst[2]):  # type: ignore[operator]
                worst = [place, *found]
        if worst[0] == 0:
            for account, allowance in charged:
                account.charge(allowance, name, need, self.now_us // 1000 + LEASE_MS)
            self.leases[name] = Lease(name, "t", (), need, lambda _lease: None)
            self.charged[name] = list(numbers)
        return worst

    def settle(self, name: str, used: Need) -> None:
        lease = self.leases.pop(name)
        lease.charge(used.input, used.output, used.cost_micro_usd)
        self.number += 1
        changes: list[object] = []
        names: list[str] = [f"{self.tag}:writer"]
        for number in self.charged[name]:
            account, allowance = self.accounts[number - 1], self.allowances[number - 1]
            account.bring_to(self.now_us, allowance)
            account.settle(allowance, lease)
            more = (used.input - lease.need.input, used.output - lease.need.output)
            changes.append([Raw(allowance.packed()), *more, used.cost_micro_usd, [lease.hold]])
            names += self.keys()[2 * number - 2 : 2 * number]
        batch = (
            names,
            ("settle", self.number, 600, 600, 0, msgpack(changes)),
        )
        assert self.call(batch[0], *batch[1]) == 1
        assert self.call(batch[0], *batch[1]) == 0, "a batch is added once"
        self.look()

    def look(self) -> None:
        limits = [Raw(a.packed()) for a in self.allowances]
        figures = unpack(self.call(self.keys(), "look", msgpack(limits)))
        for account, allowance in zip(self.accounts, self.allowances, strict=True):
            account.bring_to(self.now_us, allowance)
        assert self.told(figures) == [account.figures() for account in self.accounts]

    def told(self, figures: list[list[int]]) -> list[Used]:
        return [Used(*numbers) for numbers in figures]


some_limit = st.one_of(st.just(0), st.integers(1, 60))
some_money = st.one_of(st.just(-1), st.integers(0, 400))
allowances = st.builds(
    Allowance,
    requests=some_limit,
    input=some_limit,
    output=some_limit,
    tokens=some_limit,
    parallel=st.one_of(st.just(0), st.integers(1, 4)),
    day=some_money,
    week=some_money,
    month=some_money,
    total=some_money,
)
needs = st.builds(
    Need, input=st.integers(0, 30), output=st.integers(0, 30), cost_micro_usd=st.integers(0, 90)
)
steps = st.one_of(
    st.tuples(st.just("reserve"), st.lists(needs, min_size=1, max_size=4)),
    st.tuples(st.just("reserve"), st.lists(needs, min_size=1, max_size=4)),
    st.tuples(st.just("some"), needs),
    st.tuples(st.just("settle"), needs),
    st.tuples(st.just("wait"), st.integers(0, 40_000_000)),
    st.tuples(st.just("wait"), st.integers(0, 20 * HOUR_US)),
)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(limits=st.lists(allowances, min_size=1, max_size=3), play=st.lists(steps, max_size=25))
def test_the_script_and_the_model_say_the_same(
    redis: Redis, limits: list[Allowance], play: list[tuple[str, object]]
) -> None:
    books = Books(redis, limits)
    for what, how in play:
        if what == "wait":
            books.now_us += how  # type: ignore[operator]
        elif what == "reserve":
            books.reserve(*how)  # type: ignore[misc]
        elif what == "some":  # the first scope alone, which others share
            books.reserve(how, of=[1])  # type: ignore[arg-type]
        elif books.leases:
            books.settle(next(iter(books.leases)), how)  # type: ignore[arg-type]
    books.look()


def test_tokens_come_back_by_the_minute(redis: Redis) -> None:
    books = Books(redis, [Allowance(requests=2)])
    for _ in range(2):
        books.reserve(Need())
    assert books.expected("x", Need(), [1]) == [1, "requests", 30_000_000]
    books.now_us += 30_000_000
    books.reserve(Need())
    assert len(books.leases) == 3


def test_what_a_dead_replica_held_comes_back(redis: Redis) -> None:
    books = Books(redis, [Allowance(parallel=1, day=100)])
    books.reserve(Need(cost_micro_usd=80))
    books.reserve(Need(cost_micro_usd=80))
    assert list(books.leases) == ["lease1"]
    books.now_us += LEASE_MS * 1000
    books.reserve(Need(cost_micro_usd=80))
    assert list(books.leases) == ["lease1", "lease3"]
    books.settle("lease1", Need(cost_micro_usd=5))  # it was not dead, only slow
    assert books.accounts[0].figures().day == 5
    assert books.accounts[0].figures().held == 80


def test_all_scopes_are_charged_or_none(redis: Redis) -> None:
    books = Books(redis, [Allowance(requests=50), Allowance(parallel=1)])
    for _ in range(5):
        books.reserve(Need())
    assert [account.figures().requests for account in books.accounts] == [1, 0]


def test_a_long_way_through_the_calendar(redis: Redis) -> None:
    limits = [Allowance(day=50, week=10**9, month=10**9, total=10**12)]
    books = Books(redis, limits)
    for _ in range(60):
        books.reserve(Need(cost_micro_usd=50))
        if books.leases:
            books.settle(next(iter(books.leases)), Need(cost_micro_usd=50))
        books.now_us += 53 * HOUR_US
    assert books.accounts[0].figures().total == 60 * 50


def test_a_key_of_another_kind_stops_a_batch_before_it_did_anything(redis: Redis) -> None:
    books = Books(redis, [Allowance(day=50)])
    writer, state, holds = f"{books.tag}:writer", *books.keys()
    redis.hset(state, "in", "the way")
    limits = Raw(books.allowances[0].packed())
    with pytest.raises(Exception, match="WRONGTYPE"):
        books.call(
            [writer, f"{books.tag}:total", state, holds],
            "settle", 1, 600, 600, 1, msgpack([["requests:", 1], [limits, 0, 0, 5, []]]),
        )  # fmt: skip
    assert redis.exists(writer, f"{books.tag}:total") == 0
