"""Stored responses: whole, by tenant, replaced only from where they were."""

from __future__ import annotations

import asyncio

import pytest
from redis import Redis

from serve_app.config.policy import ConversationPolicy
from serve_app.sessions.responses import Responses, StoredResponse
from serve_app.sessions.seal import Seals
from serve_app.store import keys
from serve_app.store.client import Store
from serve_app.store.embedded import EmbeddedValkey

RESPONSE = StoredResponse(
    "resp_1", "queued", 1_700_000_000, b'{"id":"resp_1"}', b"[1]", "s", 3, "task_1"
)
SEALS = Seals("a key that is long enough")


@pytest.fixture(params=[False, True], ids=["plain", "sealed"])
def responses(store: Store, request: pytest.FixtureRequest) -> Responses:
    policy = ConversationPolicy(responses_ttl_s=900)
    return Responses(store, policy, seals=SEALS, encrypt=request.param)


def become(status: str) -> StoredResponse:
    return StoredResponse("resp_1", status, 1, b"{}", thread="s")


async def test_a_response_comes_back_to_its_tenant_alone(responses: Responses) -> None:
    assert await responses.put("t", RESPONSE)
    assert await responses.get("t", "resp_1") == RESPONSE
    assert await responses.get("other", "resp_1") is None
    assert await responses.delete("t", "resp_1")
    assert not await responses.delete("t", "resp_1")
    assert await responses.get("t", "resp_1") is None


async def test_it_is_replaced_only_from_where_it_was(responses: Responses) -> None:
    assert not await responses.put("t", become("completed"), was=("queued", "in_progress"))
    assert await responses.put("t", RESPONSE, was=("",))
    assert not await responses.put("t", RESPONSE, was=("",))
    assert await responses.put("t", become("in_progress"), was=("queued",))
    ends = [become(status) for status in ("completed", "cancelled", "failed")]
    won = await asyncio.gather(
        *(responses.put("t", end, was=("queued", "in_progress")) for end in ends)
    )
    assert sum(won) == 1
    kept = await responses.get("t", "resp_1")
    assert kept is not None
    assert kept.status == ends[won.index(True)].status
    assert not await responses.put("t", become("queued"), was=())


async def test_each_use_starts_its_time_anew(
    responses: Responses, clean_valkey: EmbeddedValkey
) -> None:
    await responses.put("t", RESPONSE)
    names = [keys.stored_response("t", "resp_1"), keys.conversation_responses("t", "s")]
    with Redis.from_url(clean_valkey.url) as client:
        for name in names:
            client.expire(name, 10)
        await responses.get("t", "resp_1")
        assert [800 < client.ttl(name) <= 900 for name in names] == [True, True]


async def test_a_sealed_one_cannot_be_read_without_the_key(
    store: Store, clean_valkey: EmbeddedValkey
) -> None:
    await Responses(store, ConversationPolicy(), seals=SEALS, encrypt=True).put("t", RESPONSE)
    with Redis.from_url(clean_valkey.url) as client:
        assert b"resp_1" not in (client.hget(keys.stored_response("t", "resp_1"), "body") or b"")
    assert await Responses(store, ConversationPolicy()).get("t", "resp_1") is None
