"""Requests with a name count once: the script beside the same rule in plain Python."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import astuple
from redis import Redis

from serve_app.accounting.bill import Bill
from serve_app.accounting.ledger import Ledger
from serve_app.accounting.page import Batch, Page
from serve_app.accounting.posting import posted
from serve_app.accounting.totals import METRICS, Settlement, Sums, read_back
from serve_app.admission.sheet import Sheet, figures
from serve_app.core.clock import FakeClock
from serve_app.core.limits import Allowance, Lease, Need, Scope
from serve_app.store import keys
from serve_app.store.client import Store
from serve_app.store.embedded import EmbeddedValkey
from serve_app.store.scripts import load_scripts

DAY = "2026-01-31"
NOON = 1_769_860_800
ALLOWANCE = Allowance(input=10**6, output=10**6, tokens=10**6, parallel=100, total=10**9)


@pytest.fixture
def redis(clean_valkey: EmbeddedValkey) -> Iterator[Redis]:
    with Redis.from_url(clean_valkey.url) as client:
        yield client


class Known(Struct):
    """What was charged under a name."""

    is_counted: bool = False
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_micro_usd: int = 0


class Model:
    """The rule: of all attempts under a name the largest amounts count, and one request."""

    def __init__(self) -> None:
        self.names: dict[str, Known] = {}
        self.sums: dict[str, Sums] = {}

    def enter(self, name: str, parts: list[Settlement]) -> None:
        if not parts:
            return
        is_new = name not in self.names
        known = self.names.setdefault(name, Known())
        is_answer = any(part.status != "failed" and part.requests for part in parts)
        rows: dict[str, Sums] = {}
        for part in parts:
            rows.setdefault(part.model, Sums()).add(part)
        answering = next((p.model for p in parts if p.status != "failed" and p.requests), "")
        if not known.is_counted:
            for model, row in rows.items():
                one = self.of(model)
                one.requests += model == answering
                one.cached += row.cached
                one.cached_tokens += row.cached_tokens
                one.saved_micro_usd += row.saved_micro_usd
        for metric in ("prompt_tokens", "completion_tokens", "cost_micro_usd"):
            amount = sum(getattr(row, metric) for row in rows.values())
            before = getattr(known, metric)
            if is_new:
                for model, row in rows.items():
                    self.add(model, metric, getattr(row, metric))
            elif amount > before:
                self.add(answering or next(iter(rows)), metric, amount - before)
            setattr(known, metric, max(before, amount))
        known.is_counted = known.is_counted or is_answer

    def of(self, model: str) -> Sums:
        return self.sums.setdefault(model, Sums())

    def add(self, model: str, metric: str, amount: int) -> None:
        one = self.of(model)
        setattr(one, metric, getattr(one, metric) + amount)

    def total(self, metric: str) -> int:
        return sum(getattr(one, metric) for one in self.sums.values())


class Books:
    """The script, told of bills; its clock stands still, so that no bucket leaks."""

    def __init__(self, redis: Redis) -> None:
        source = load_scripts()["ledger"].source.decode()
        assert source.count("redis.call('TIME')") == 1
        self.run = redis.register_script(source.replace("redis.call('TIME')", f"{{{NOON}, 0}}"))
        self.redis = redis
        self.tenant = uuid4().hex
        self.scope = Scope(
            "per user",
            keys.scope_state(self.tenant, ["u"]),
            keys.scope_holds(self.tenant, ["u"]),
            ALLOWANCE,
            ALLOWANCE.packed(),
        )
        self.number = 0

    def call(self, used: Sequence[str], args: Sequence[object]) -> bytes:
        return self.run(keys=used, args=args)  # type: ignore[no-any-return]

    def bill(self, name: str, parts: list[Settlement]) -> Bill:
        self.number += 1
        lease = Lease(f"l{self.number}", self.tenant, (self.scope,), NEED, lambda _: None)
        lease.once = name
        sheet = Sheet()
        sheet.add(lease.name, NEED, lease.scopes)
        reply = self.call(*sheet.reserve(30_000))
        sheet.read(reply)
        assert sheet.outcome(0)[0][0] == 0, reply
        bill = Bill(lease, {})
        for part in parts:
            bill.add((self.tenant, DAY, part.user, part.model, part.key_id), part)
        return bill

    def settle(self, bills: list[Bill], writer: str) -> None:
        self.number += 1
        used, args = posted(self.tenant, writer, Batch(self.number, Page({}, [], bills=bills)))
        assert self.call(list(used), list(args)) == 1
        assert self.call(list(used), list(args)) == 0, "a batch is added once"

    def sums(self, kind: str) -> dict[str, Sums]:
        found: dict[str, Sums] = {}
        read_back(self.redis.hgetall(keys.ledger_day(self.tenant, DAY, kind)), found)
        return found

    def figures(self) -> list[int]:
        """Requests, input, output, tokens, running, held, day, week, month, total."""
        sheet = Sheet()
        sheet.places([self.scope])
        [used] = figures(self.call(*sheet.look()))
        return list(astuple(used))


NEED = Need(40, 40, 90)
parts = st.lists(
    st.builds(
        Settlement,
        tenant=st.just("t"),
        user=st.just("u"),
        model=st.sampled_from(["a", "b"]),
        backend=st.just("p"),
        prompt_tokens=st.integers(0, 50),
        completion_tokens=st.integers(0, 50),
        cost_micro_usd=st.integers(0, 90),
        cache_level=st.sampled_from(["none", "miss", "l1"]),
        status=st.sampled_from(["ok", "left", "failed"]),
        requests=st.sampled_from([0, 1]),
    ),
    max_size=3,
)
batches = st.lists(
    st.lists(st.tuples(st.sampled_from(["x", "y", "z"]), parts), min_size=1, max_size=3), max_size=5
)


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(play=batches)
def test_the_script_and_the_model_say_the_same(
    redis: Redis, play: list[list[tuple[str, list[Settlement]]]]
) -> None:
    books, model = Books(redis), Model()
    for number, batch in enumerate(play):
        books.settle([books.bill(*one) for one in batch], f"w{number % 2}")
        for name, some in batch:
            model.enter(name, some)
    assert {name: sums for name, sums in books.sums("model").items() if sums != Sums()} == {
        name: sums for name, sums in model.sums.items() if sums != Sums()
    }
    total = books.sums("total").get("", Sums())
    assert {metric: getattr(total, metric) for metric in METRICS} == {
        metric: model.total(metric) for metric in METRICS
    }
    figures = books.figures()
    spent = model.total("cost_micro_usd")
    assert figures[4:] == [0, 0, spent, spent, spent, spent]
    # Only what was reserved in earlier batches lets a bucket be emptier than what was used.
    assert figures[1] == model.total("prompt_tokens")
    assert figures[2] == model.total("completion_tokens")


def answer(**changes: object) -> Settlement:
    values: dict[str, object] = {
        "tenant": "acme", "user": "ann", "model": "m", "backend": "p", "prompt_tokens": 10,
        "completion_tokens": 5, "cost_micro_usd": 7,
    }  # fmt: skip
    return Settlement(**{**values, **changes})  # type: ignore[arg-type]


class Desk:
    """Ledgers of several workers over one Redis."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.ledger = self.another()
        self._number = 0

    def another(self) -> Ledger:
        return Ledger(self.store, FakeClock(float(NOON)))

    def done(self, ledger: Ledger, once: str, *parts: Settlement) -> None:
        """One attempt at a request, from its lease to its end."""
        self._number += 1
        end = ledger.end
        lease = Lease(f"l{self._number}", "acme", (), Need(), lambda over: end(over, "acme"))
        lease.once = once
        for part in parts:
            ledger.record(part, lease)
        lease.done()


@pytest.fixture
def desk(store: Store) -> Desk:
    return Desk(store)


async def test_two_workers_that_do_the_same_are_paid_once(desk: Desk) -> None:
    zombie = desk.another()
    desk.done(desk.ledger, "task-1", answer())
    desk.done(zombie, "task-1", answer())
    assert await desk.ledger.flush()
    assert await zombie.flush()
    totals = await desk.ledger.totals("acme")
    assert (totals.total.requests, totals.total.cost_micro_usd) == (1, 7)
    assert totals.users["ann"].prompt_tokens == 10


async def test_a_failed_attempt_does_not_make_the_next_one_free(desk: Desk) -> None:
    nothing = {"prompt_tokens": 0, "completion_tokens": 0, "cost_micro_usd": 0}
    desk.done(desk.ledger, "task-1", answer(status="failed", **nothing))
    assert await desk.ledger.flush()
    desk.done(desk.ledger, "task-1", answer())
    assert await desk.ledger.flush()
    total = (await desk.ledger.totals("acme")).total
    assert (total.requests, total.failed, total.cost_micro_usd) == (1, 0, 7)


async def test_what_a_cancelled_attempt_used_is_paid_by_its_caller(desk: Desk) -> None:
    desk.done(desk.ledger, "task-1", answer(status="left", completion_tokens=2, cost_micro_usd=4))
    assert await desk.ledger.flush()
    total = (await desk.ledger.totals("acme")).total
    assert (total.requests, total.cost_micro_usd) == (1, 4)


async def test_names_of_two_tenants_are_two(desk: Desk) -> None:
    desk.done(desk.ledger, "task-1", answer())
    lease = Lease("other", "other", (), Need(), lambda over: desk.ledger.end(over, "other"))
    lease.once = "task-1"
    desk.ledger.record(answer(tenant="other"), lease)
    lease.done()
    assert await desk.ledger.flush()
    assert (await desk.ledger.totals("acme")).total.requests == 1
    assert (await desk.ledger.totals("other")).total.requests == 1


async def test_a_request_without_a_name_counts_each_time(desk: Desk) -> None:
    for _ in range(2):
        desk.done(desk.ledger, "", answer())
    assert await desk.ledger.flush()
    assert (await desk.ledger.totals("acme")).total.requests == 2


async def test_books_are_closed_for_a_name_when_they_are_confirmed(desk: Desk) -> None:
    desk.ledger.start()
    try:
        desk.done(desk.ledger, "task-1", answer())
        assert desk.ledger.waiting == 1
        assert await desk.ledger.confirmed("acme", 5.0)
        assert desk.ledger.waiting == 0
        assert (await desk.another().totals("acme")).total.requests == 1
    finally:
        await desk.ledger.close()
