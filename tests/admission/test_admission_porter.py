import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest
from redis import Redis

from serve_app.accounting.ledger import Ledger
from serve_app.admission.directory import KeyDirectory
from serve_app.admission.need import Asking
from serve_app.admission.porter import Admission, Admitted
from serve_app.config.policy import AdmissionPolicy
from serve_app.config.structure import LedgerSettings, RedisSettings
from serve_app.core.clock import FakeClock, SystemClock
from serve_app.core.errors import (
    BudgetSpent,
    Overloaded,
    PolicyRejected,
    RateLimited,
    TooLarge,
    Unauthorized,
)
from serve_app.core.limits import Lease
from serve_app.store.client import Store
from serve_app.store.embedded import EmbeddedValkey


def policy(**changes: object) -> AdmissionPolicy:
    people = [("sk-ann", "ann"), ("sk-ann-2", "ann"), ("sk-bob", "bob")]
    keys = [
        {"sha256": hashlib.sha256(key.encode()).hexdigest(), "tenant": "acme", "user": user}
        for key, user in people
    ]
    values = {"keys": keys, "user_rpm": 0, "key_rpm": 0, **changes}
    return AdmissionPolicy.model_validate(values)


class Door:
    """An admission with the ledger behind it."""

    def __init__(self, store: Store, replica: str, slot: str, changes: dict[str, object]) -> None:
        clock = SystemClock()
        self.ledger = Ledger(store, clock, together=slot == "one")
        self.directory = KeyDirectory(store, replica, clock)
        self.porter = Admission(
            policy(**changes),
            LedgerSettings(slot=slot),  # type: ignore[arg-type]
            store,
            self.directory,
            clock,
            lambda lease: self.ledger.end(lease, lease.tenant),
        )

    async def __aenter__(self) -> "Door":
        self.ledger.start()
        self.porter.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.porter.close()
        await self.ledger.close()

    async def admit(self, key: str = "sk-ann", **asking: object) -> Admitted:
        return await self.porter.admit(f"Bearer {key}", None, Asking(**asking))  # type: ignore[arg-type]

    async def spend(
        self, lease: Lease | None, prompt: int = 0, answer: int = 0, cost: int = 0
    ) -> None:
        assert lease is not None
        lease.charge(prompt, answer, cost)
        lease.done()
        assert await self.ledger.confirmed(lease.tenant, 5.0)


MakeDoor = Callable[..., "Door"]


@pytest.fixture
async def make(store: Store) -> AsyncIterator[Callable[..., object]]:
    async with AsyncExitStack() as doors:

        async def made(replica: str = "a", slot: str = "tenant", **changes: object) -> Door:
            return await doors.enter_async_context(Door(store, replica, slot, changes))

        yield made


@pytest.fixture
async def lost_store() -> AsyncIterator[Store]:
    """A store whose Redis was never there."""
    server = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    store = Store(RedisSettings(), FakeClock(), f"redis://127.0.0.1:{port}")
    yield store
    await store.close()


async def test_headers_tell_the_limits_nearest_to_their_end(make: MakeDoor) -> None:
    door = await make(
        user_rpm=10, key_rpm=5, limits=[{"per": ["tenant"], "tokens_per_minute": 1000}]
    )
    admitted = await door.admit(prompt_tokens=100, answer_tokens=75)
    assert admitted.identity.user == "ann"
    assert admitted.headers == {
        "x-ratelimit-limit-requests": "5",
        "x-ratelimit-remaining-requests": "4",
        "x-ratelimit-reset-requests": "12.000s",
        "x-ratelimit-limit-tokens": "1000",
        "x-ratelimit-remaining-tokens": "800",
        "x-ratelimit-reset-tokens": "12.000s",
        "ratelimit-limit": "5",
        "ratelimit-remaining": "4",
        "ratelimit-reset": "12",
        "ratelimit-policy": '"requests-per-key";q=5;w=60',
    }


async def test_a_user_has_one_limit_over_all_keys(make: MakeDoor) -> None:
    door = await make(user_rpm=2)
    await door.admit("sk-ann")
    await door.admit("sk-ann-2")
    with pytest.raises(RateLimited, match="2 requests per minute per user") as refused:
        await door.admit("sk-ann")
    assert refused.value.retry_after_s is not None
    assert 0 < refused.value.retry_after_s <= 30
    assert refused.value.headers["x-serve-app-limit"] == "2 requests per minute per user"
    assert refused.value.headers["ratelimit-remaining"] == "0"
    await door.admit("sk-bob")


async def test_who_is_refused_by_one_limit_pays_nothing_at_the_other(make: MakeDoor) -> None:
    door = await make(user_rpm=3, key_rpm=1)
    await door.admit("sk-ann")
    for _ in range(5):
        with pytest.raises(RateLimited, match="per key"):
            await door.admit("sk-ann")
    await door.admit("sk-ann-2")
    door.porter.reconfigure(policy(user_rpm=3))
    admitted = await door.admit("sk-ann")
    assert admitted.headers["x-ratelimit-remaining-requests"] == "0"


async def test_a_limit_holds_over_all_replicas_at_once(make: MakeDoor) -> None:
    doors = [await make(str(i), user_rpm=6) for i in range(4)]
    outcomes = await asyncio.gather(
        *(doors[i % 4].admit() for i in range(60)), return_exceptions=True
    )
    assert sum(isinstance(o, RateLimited) for o in outcomes) == 54
    assert sum(isinstance(o, Admitted) for o in outcomes) == 6


async def test_parallel_requests_hold_their_places_until_they_are_done(make: MakeDoor) -> None:
    door = await make(limits=[{"per": ["user"], "parallel": 2}])
    first, second = await door.admit(), await door.admit("sk-ann-2")
    with pytest.raises(RateLimited, match="2 requests at once per user"):
        await door.admit()
    await door.spend(first.lease)
    third = await door.admit()
    await door.spend(second.lease)
    await door.spend(third.lease)


async def test_tokens_are_reserved_and_what_is_not_used_comes_back(make: MakeDoor) -> None:
    door = await make(limits=[{"per": ["key"], "output_tokens_per_minute": 100}])
    admitted = await door.admit(prompt_tokens=10, answer_tokens=90)
    with pytest.raises(RateLimited, match="100 output tokens per minute per key"):
        await door.admit(prompt_tokens=10, answer_tokens=20)
    await door.spend(admitted.lease, 10, 5)
    assert await door.admit(prompt_tokens=10, answer_tokens=90)


async def test_what_no_limit_ever_lets_through_is_said_at_once(make: MakeDoor) -> None:
    door = await make(
        limits=[{"per": ["key"], "tokens_per_minute": 100}, {"per": [], "tokens_per_request": 50}],
        slot="one",
    )
    with pytest.raises(TooLarge, match="50 tokens per request"):
        await door.admit(prompt_tokens=30, answer_tokens=30)
    door.porter.reconfigure(policy(limits=[{"per": ["key"], "tokens_per_minute": 100}]))
    with pytest.raises(TooLarge, match="100 tokens per minute per key"):
        await door.admit(prompt_tokens=60, answer_tokens=50)
    assert await door.admit(prompt_tokens=60)  # what is not asked for may be less


async def test_a_budget_is_never_passed_by_requests_that_come_together(make: MakeDoor) -> None:
    doors = [
        await make(str(i), limits=[{"per": ["user"], "budget": {"day": "0.001"}}]) for i in range(3)
    ]
    outcomes = await asyncio.gather(
        *(doors[i % 3].admit(cost=lambda _i, _o: 300) for i in range(30)), return_exceptions=True
    )
    admitted = [o for o in outcomes if isinstance(o, Admitted)]
    assert len(admitted) == 3
    refused = [o for o in outcomes if isinstance(o, BudgetSpent)]
    assert len(refused) == 27
    assert all(error.retry_after_s == 1.0 for error in refused), "what is held may come free"
    for one in admitted:
        await doors[0].spend(one.lease, cost=300)
    with pytest.raises(BudgetSpent, match=r"budget of 0\.001 USD a day per user is spent"):
        await doors[1].admit(cost=lambda _i, _o: 300)


async def test_a_budget_that_is_nearly_spent_is_told(
    make: MakeDoor, caplog: pytest.LogCaptureFixture
) -> None:
    budget = {"month": "0.0010", "soft": 0.5, "at_soft": "cheaper"}
    door = await make(limits=[{"per": ["tenant"], "budget": budget}])
    admitted = await door.admit(cost=lambda _i, _o: 400)
    assert admitted.soft is None
    await door.spend(admitted.lease, cost=499)
    for _ in range(3):
        admitted = await door.admit(cost=lambda _i, _o: 1)
        assert admitted.soft is not None
        assert admitted.soft.period == "month"
        assert admitted.soft.scope.allowance.cheaper
    assert sum("nearly spent" in r.getMessage() for r in caplog.records) == 1


async def test_a_budget_in_all_is_not_to_be_waited_for(make: MakeDoor) -> None:
    door = await make(limits=[{"per": ["key"], "budget": {"total": "0.0001"}}])
    admitted = await door.admit(cost=lambda _i, _o: 100)
    await door.spend(admitted.lease, cost=100)
    with pytest.raises(BudgetSpent) as refused:
        await door.admit(cost=lambda _i, _o: 1)
    assert refused.value.retry_after_s is None


async def test_limits_over_all_tenants_need_books_in_one_slot(make: MakeDoor) -> None:
    limits = [{"per": ["model"], "requests_per_minute": 1}]
    with pytest.raises(PolicyRejected, match=r"limits\[0\].per.*args.ledger.slot: one"):
        await make(limits=limits)
    door = await make(limits=limits, slot="one")
    await door.admit("sk-ann", model="m")
    with pytest.raises(RateLimited, match="per model"):
        await door.admit("sk-bob", model="m")
    await door.admit("sk-bob", model="other")


async def test_an_aborted_waiter_gives_back_what_it_got(make: MakeDoor) -> None:
    door = await make(limits=[{"per": ["user"], "parallel": 1}])
    for _ in range(20):
        waiting = asyncio.ensure_future(door.admit())
        await asyncio.sleep(0)  # on its way
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        async with asyncio.timeout(5):
            while True:
                try:
                    admitted = await door.admit()
                    break
                except RateLimited:
                    await asyncio.sleep(0.005)
        await door.spend(admitted.lease)


async def test_an_open_house_asks_no_redis(lost_store: Store) -> None:
    changes = {"require_key": False, "without_redis": "fail_closed", "user_rpm": 100}
    async with Door(lost_store, "a", "tenant", changes) as door:
        assert (await door.porter.admit(None, None, Asking())).headers == {}


async def test_without_redis_the_policy_decides(
    lost_store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    changes = {"user_rpm": 10, "without_redis": "fail_open"}
    async with Door(lost_store, "a", "tenant", changes) as door:
        for _ in range(20):
            admitted = await door.admit()
            assert admitted.unlimited == "Redis is away"
        assert sum("fail_open" in r.getMessage() for r in caplog.records) == 1
        door.porter.reconfigure(policy(user_rpm=10, without_redis="fail_closed"))
        with pytest.raises(Overloaded) as refused:
            await door.admit()
        assert refused.value.retry_after_s == 1.0
        with pytest.raises(Unauthorized):
            await door.admit("sk-wrong")
        door.porter.reconfigure(
            policy(
                user_rpm=10,
                limits=[{"per": ["user"], "budget": {"day": 1}}],
                without_redis={"limits": "local_share", "budgets": "fail_open"},
            )
        )
        outcomes = [await _tried(door) for _ in range(12)]
        assert outcomes.count(None) == 10
        assert outcomes[-1] == "Rate limit reached: 10 requests per minute per user."


async def _tried(door: Door) -> str | None:
    try:
        await door.admit()
    except RateLimited as error:
        return error.message.partition(" Try")[0]
    return None


async def test_what_was_used_while_redis_was_away_is_charged_when_it_is_back(
    clean_valkey: EmbeddedValkey,
) -> None:
    store = Store(RedisSettings(breaker_open_s=0.05), SystemClock(), clean_valkey.url)
    limits = [{"per": ["user"], "budget": {"day": "0.001"}}]
    async with Door(store, "a", "tenant", {"limits": limits}) as door:
        with Redis.from_url(clean_valkey.url) as redis:
            redis.config_set("maxmemory", "1")
            admitted = await door.admit(cost=lambda _i, _o: 400)
            assert admitted.unlimited
            assert admitted.lease is not None
            admitted.lease.charge(1, 1, 700)
            admitted.lease.done()
            redis.config_set("maxmemory", "0")
        async with asyncio.timeout(10):
            while not await door.ledger.confirmed("acme", 0.2):
                await asyncio.sleep(0.01)
        with pytest.raises(BudgetSpent):
            await door.admit(cost=lambda _i, _o: 400)
    await store.close()


async def test_a_bad_policy_changes_nothing(make: MakeDoor) -> None:
    door = await make(user_rpm=5)
    with pytest.raises(PolicyRejected):
        door.porter.reconfigure(policy(keys=[], key_file="no/such/file.yaml"))
    assert (await door.admit()).identity.user == "ann"
