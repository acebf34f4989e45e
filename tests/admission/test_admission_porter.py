import asyncio
import hashlib
from collections.abc import AsyncIterator

import pytest

from serve_app.admission.porter import Admission
from serve_app.config.policy import AdmissionPolicy
from serve_app.config.structure import RedisSettings
from serve_app.core.clock import FakeClock, SystemClock
from serve_app.core.errors import Overloaded, PolicyRejected, RateLimited, Unauthorized
from serve_app.store.client import Store


def policy(**changes: object) -> AdmissionPolicy:
    people = [("sk-ann", "ann"), ("sk-ann-2", "ann"), ("sk-bob", "bob")]
    keys = [
        {"sha256": hashlib.sha256(key.encode()).hexdigest(), "tenant": "acme", "user": user}
        for key, user in people
    ]
    return AdmissionPolicy.model_validate({"keys": keys, **changes})


def admission(store: Store, **changes: object) -> Admission:
    return Admission(policy(**changes), store, SystemClock())


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


async def test_headers_tell_the_limit_nearest_to_its_end(store: Store) -> None:
    porter = admission(store, user_rpm=10, key_rpm=5)
    admitted = await porter.admit("Bearer sk-ann", None)
    assert admitted.identity.user == "ann"
    assert admitted.headers["x-ratelimit-limit-requests"] == "5"
    assert admitted.headers["x-ratelimit-remaining-requests"] == "4"
    assert admitted.headers["x-ratelimit-reset-requests"] == "12.000s"


async def test_a_user_has_one_limit_over_all_keys(store: Store) -> None:
    porter = admission(store, user_rpm=2, key_rpm=0)
    await porter.admit("Bearer sk-ann", None)
    await porter.admit("Bearer sk-ann-2", None)
    with pytest.raises(RateLimited, match="2 requests per minute per user") as refused:
        await porter.admit("Bearer sk-ann", None)
    assert refused.value.retry_after_s is not None
    assert 0 < refused.value.retry_after_s <= 30
    await porter.admit("Bearer sk-bob", None)


async def test_who_is_refused_by_one_limit_pays_nothing_at_the_other(store: Store) -> None:
    porter = admission(store, user_rpm=3, key_rpm=1)
    await porter.admit("Bearer sk-ann", None)
    for _ in range(5):
        with pytest.raises(RateLimited, match="per key"):
            await porter.admit("Bearer sk-ann", None)
    admitted = await porter.admit("Bearer sk-ann-2", None)
    porter.reconfigure(policy(user_rpm=3, key_rpm=0))
    admitted = await porter.admit("Bearer sk-ann", None)
    assert admitted.headers["x-ratelimit-remaining-requests"] == "0"


async def test_a_limit_holds_over_all_replicas_at_once(store: Store) -> None:
    replicas = [admission(store, user_rpm=6, key_rpm=0) for _ in range(4)]
    outcomes = await asyncio.gather(
        *(replicas[i % 4].admit("Bearer sk-ann", None) for i in range(60)), return_exceptions=True
    )
    refused = [o for o in outcomes if isinstance(o, RateLimited)]
    assert len(refused) == 54


async def test_an_open_house_asks_no_redis(lost_store: Store) -> None:
    porter = admission(lost_store, require_key=False, without_redis="fail_closed")
    assert (await porter.admit(None, None)).headers == {}


async def test_without_limits_redis_is_not_asked(lost_store: Store) -> None:
    porter = admission(lost_store, user_rpm=0, key_rpm=0, without_redis="fail_closed")
    assert (await porter.admit("Bearer sk-ann", None)).identity.user == "ann"


async def test_without_redis_the_policy_decides(
    lost_store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    porter = admission(lost_store, without_redis="fail_open")
    for _ in range(10):
        admitted = await porter.admit("Bearer sk-ann", None)
        assert admitted.unlimited == "limits could not be counted"
    assert sum("fail_open" in r.getMessage() for r in caplog.records) == 1
    porter.reconfigure(policy(without_redis="fail_closed"))
    with pytest.raises(Overloaded) as refused:
        await porter.admit("Bearer sk-ann", None)
    assert refused.value.retry_after_s == 1.0
    with pytest.raises(Unauthorized):
        await porter.admit("Bearer sk-wrong", None)


async def test_a_bad_policy_changes_nothing(store: Store) -> None:
    porter = admission(store)
    with pytest.raises(PolicyRejected):
        porter.reconfigure(policy(keys=[], key_file="no/such/file.yaml"))
    assert (await porter.admit("Bearer sk-ann", None)).identity.user == "ann"
