"""`POST /v1/route`: the plan for a request, and no call."""

from __future__ import annotations

import hashlib

from doors import post
from houses import Flow, Open, policy
from provider.fixtures import ScriptedProvider

HELLO = [{"role": "user", "content": "hello"}]


async def test_the_plan_is_told_and_nobody_is_called(
    flow: Flow, provider: ScriptedProvider
) -> None:
    status, _, plan = await post(flow, "/v1/route", model="auto", messages=HELLO)
    assert status == 200
    assert {"candidates", "excluded", "need", "signals", "tier", "strategy", "arm"} < plan.keys()
    assert plan["problem"] is None
    assert plan["candidates"][0]["backend"] == "p"
    assert all(candidate["reason"] for candidate in plan["candidates"])
    assert provider.log() == []


async def test_a_plan_with_nobody_in_it_is_an_answer_too(flow: Flow) -> None:
    status, _, plan = await post(flow, "/v1/route", model="ok", messages=HELLO, logprobs=True)
    assert status == 200
    assert plan["candidates"] == []
    assert plan["problem"]["status"] == 400
    status, _, plan = await post(flow, "/v1/route", model="nowhere", messages=HELLO)
    assert (status, plan["problem"]["status"]) == (200, 404)


async def test_embeddings_have_a_plan_too(flow: Flow) -> None:
    status, _, plan = await post(
        flow, "/v1/route", model="auto", input="hello", endpoint="embeddings"
    )
    assert status == 200
    assert plan["candidates"] == [], "no model of this house makes embeddings"
    assert plan["problem"] is not None


async def test_what_would_not_come_so_far_is_refused(open_flow: Open) -> None:
    key = hashlib.sha256(b"sk-a").hexdigest()
    keys = {"keys": [{"sha256": key, "tenant": "acme", "user": "ada"}]}
    async with open_flow(rules=policy(admission=keys)) as flow:
        assert (await post(flow, "/v1/route", model="auto", messages=HELLO))[0] == 401
        flow.http.headers["Authorization"] = "Bearer sk-a"
        assert (await post(flow, "/v1/route", model="auto", messages=HELLO))[0] == 200
        status, _, body = await post(flow, "/v1/route", model="auto")
        assert (status, body["error"]["param"]) == (400, "messages")
