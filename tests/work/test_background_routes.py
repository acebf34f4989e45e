"""What callers do with background tasks, over HTTP against a real queue and a worker."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from later import Later, policy, until
from provider.fixtures import ScriptedProvider

ASKED = [{"role": "user", "content": "hello"}]
BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"model": "ok", "messages": ASKED},
    "/v1/messages": {"model": "ok", "max_tokens": 50, "messages": ASKED},
    "/v1/completions": {"model": "ok", "prompt": "hello"},
    "/agent/chat": {"model": "ok", "message": "hello"},
    "/v1/responses": {"model": "ok", "input": "hello"},
}


async def test_a_message_is_answered_later(later: Later) -> None:
    status, taken = await later.submit(message="hello", model="ok")
    assert (status, taken["status"]) == (202, "pending")
    found = await later.ended(taken["task_id"])
    assert found["status"] == "succeeded"
    assert found["result"]["message"] == "You said: hello"
    assert found["result"]["usage"]["total_tokens"] > 0
    assert (found["model"], found["backend"], found["attempts"]) == ("ok", "p", 1)
    totals = await later.house.ledger.totals("default")
    assert totals.total.requests == 1
    assert totals.total.cost_micro_usd > 0


@pytest.mark.parametrize("path", BODIES)
async def test_a_request_of_any_api_can_be_made_later(later: Later, path: str) -> None:
    async with later.http.post(path, json=BODIES[path]) as answer:
        now = await answer.json()
    status, taken = await later.submit("/v1/tasks", path=path, body=BODIES[path])
    assert status == 202, taken
    found = await later.ended(taken["task_id"])
    assert found["status"] == "succeeded", found
    assert text_of(found["result"]) == text_of(now) == "You said: hello"
    assert found["result"].keys() == now.keys()


def text_of(body: dict[str, Any]) -> str:
    if "message" in body:
        return str(body["message"])
    if "output" in body:
        return str(body["output"][0]["content"][0]["text"])
    if "content" in body:
        return str(body["content"][0]["text"])
    choice = body["choices"][0]
    return str(choice["text"] if "text" in choice else choice["message"]["content"])


async def test_a_session_goes_on_from_task_to_task(
    later: Later, provider: ScriptedProvider
) -> None:
    for message in ("one", "two"):
        found = await later.ended(await later.submitted(message, session_id="s"))
        assert found["result"]["session_id"] == "s"
    assert [len(entry["body"]["messages"]) for entry in provider.log("ok")] == [1, 3]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"message": " "}, "message"),
        ({"message": "m", "session_id": ""}, "session_id"),
        ({"message": "m", "wat": 1}, None),
        ({"message": "m", "priority": "soon"}, "priority"),
        ({"message": "m", "delay_s": -1}, "delay_s"),
        ({"message": "m", "soft_limit_s": 1e9}, "soft_limit_s"),
        ({"message": "m", "webhook": "https://example.com/"}, "webhook"),
    ],
)
async def test_what_cannot_be_done_is_refused_at_once(
    later: Later, body: dict[str, Any], param: str | None
) -> None:
    status, answer = await later.submit(**body)
    assert (status, answer["error"]["param"]) == (400, param), answer


async def test_a_body_that_its_api_refuses_is_refused_at_once(later: Later) -> None:
    status, answer = await later.submit("/v1/tasks", path="/v1/chat/completions", body={"n": 1})
    assert status == 400, answer
    status, answer = await later.submit("/v1/tasks", path="/v1/usage", body={})
    assert (status, answer["error"]["param"]) == (400, "path")


async def test_the_same_key_means_the_same_task(later: Later) -> None:
    headers = {"idempotency-key": "order-1"}
    first = await later.submit(headers=headers, message="hello", model="ok")
    again = await later.submit(headers=headers, message="hello", model="ok")
    assert first[0] == again[0] == 202
    assert first[1]["task_id"] == again[1]["task_id"]
    status, answer = await later.submit(headers=headers, message="other", model="ok")
    assert (status, answer["error"]["code"]) == (409, "idempotency_conflict")


async def test_nobody_knows_another_task(later: Later) -> None:
    for path in ("/agent/result/task_0", f"/agent/events/task_{'0' * 24}"):
        async with later.http.get(path) as answer:
            assert (answer.status, (await answer.json())["error"]["code"]) == (
                404,
                "task_not_found",
            )


async def test_events_tell_the_text_and_can_be_resumed(
    later: Later, provider: ScriptedProvider
) -> None:
    provider.script("ok", "drip-150ms")
    task_id = await later.submitted("one two three four")
    events = await later.events(task_id)
    names = [name for _, name, _ in events]
    assert names[-1] == "end"
    assert events[-1][2] == {"status": "succeeded"}
    assert len([name for name in names if name == "progress"]) > 1
    told = "".join(data["delta"] for _, name, data in events if name == "progress")
    assert told == "You said: one two three four"
    middle = events[0][0]
    assert await later.events(task_id, after=middle) == events[1:]
    assert await later.events(task_id, after=events[-1][0]) == []


async def test_a_cancelled_task_leaves_its_provider(
    later: Later, provider: ScriptedProvider
) -> None:
    provider.script("ok", "endless")
    task_id = await later.submitted()
    assert await asyncio.to_thread(provider.wait, "ok", "seen")
    assert (await later.cancel(task_id))["status"] == "cancelled"
    assert await asyncio.to_thread(provider.wait, "ok", "aborted")
    assert (await later.ended(task_id))["status"] == "cancelled"
    assert (await later.cancel(task_id))["status"] == "cancelled"


async def test_a_task_that_takes_too_long_ends_with_its_limit(
    later: Later, provider: ScriptedProvider
) -> None:
    provider.script("ok", "no-response")
    found = await later.ended(await later.submitted(soft_limit_s=0.2, max_retries=1))
    assert (found["status"], found["attempts"]) == ("dead", 2)
    assert found["error"]["code"] == "soft_limit"
    assert provider.open()[1] == 0


async def test_an_error_that_may_pass_is_tried_again(
    later: Later, provider: ScriptedProvider
) -> None:
    provider.script("ok", *["status-500"] * 3, "ok")
    found = await later.ended(await later.submitted())
    assert found["status"] == "succeeded", found
    assert found["attempts"] > 1
    assert "error" not in found
    total = (await later.house.ledger.totals("default")).total
    assert (total.requests, total.failed) == (1, 0)


async def test_an_error_that_stays_is_not_tried_again(
    later: Later, provider: ScriptedProvider
) -> None:
    found = await later.ended(await later.submitted(session_id="s", message="x" * 200_000))
    assert (found["status"], found["attempts"]) == ("failed", 1)
    assert found["error"]["message"]


async def test_a_delayed_task_waits_for_its_time(later: Later) -> None:
    task_id = await later.submitted(delay_s=0.3)
    status, found = await later.result(task_id)
    assert (status, found["status"]) == (200, "delayed")
    found = await later.ended(task_id)
    assert found["ended_at"] - found["created_at"] >= 0.3


KEYS = {name: f"key-of-{name}" for name in ("acme", "other")}


def keyed(**changes: Any) -> dict[str, Any]:
    keys = [
        {"sha256": hashlib.sha256(key.encode()).hexdigest(), "tenant": tenant, "user": "u"}
        for tenant, key in KEYS.items()
    ]
    return {"require_key": True, "keys": keys, "admin_keys": [], **changes}


def bearer(tenant: str) -> dict[str, str]:
    return {"authorization": f"Bearer {KEYS[tenant]}"}


async def test_tasks_are_of_their_tenant(open_later: Callable[..., Any]) -> None:
    async with open_later(rules=policy(admission=keyed())) as later:
        status, answer = await later.submit(message="m", model="ok")
        assert (status, answer["error"]["code"]) == (401, "missing_api_key")
        _, taken = await later.submit(headers=bearer("acme"), message="m", model="ok")
        status, found = await later.result(taken["task_id"], 20, bearer("acme"))
        assert (status, found["status"]) == (200, "succeeded")
        status, _ = await later.result(taken["task_id"], 0, bearer("other"))
        assert status == 404
        status, _ = await later.result(taken["task_id"])
        assert status == 401
        assert (await later.house.ledger.totals("acme")).users["u"].requests == 1


async def test_the_key_must_still_be_good_when_the_work_is_done(
    open_later: Callable[..., Any], provider: ScriptedProvider
) -> None:
    async with open_later(rules=policy(admission=keyed())) as later:
        _, taken = await later.submit(headers=bearer("acme"), message="m", model="ok", delay_s=0.3)
        moved = [{**keyed()["keys"][0], "tenant": "elsewhere"}]
        _, second = await later.submit(
            headers=bearer("other"), message="m", model="ok", delay_s=0.3
        )
        later.house.apply(policy(admission=keyed(keys=moved)))
        queue = later.house.queue
        await until(lambda: ended(queue, taken["task_id"], second["task_id"]))
        views = [await queue.get(None, taken["task_id"]), await queue.get(None, second["task_id"])]
        assert [(view.state, view.attempts, view.error_code) for view in views] == [
            ("failed", 1, "key_of_another_tenant"),
            ("failed", 1, "invalid_api_key"),
        ]
        assert not provider.log("ok")


async def ended(queue: Any, *ids: str) -> bool:
    views = [await queue.get(None, task_id) for task_id in ids]
    return all(view.ended_at for view in views)


@pytest.mark.parametrize(
    ("tasks", "status", "code"),
    [
        ({"max_queued_per_tenant": 1}, 429, "tenant_queue_full"),
        ({"max_queued": 1}, 503, "queue_full"),
    ],
)
async def test_a_queue_that_is_full_says_when_to_come_back(
    open_later: Callable[..., Any], tasks: dict[str, int], status: int, code: str
) -> None:
    async with open_later(rules=policy(tasks=tasks)) as later:
        await later.submitted(delay_s=60)
        async with later.http.post("/agent/async", json={"message": "m"}) as answer:
            assert (answer.status, (await answer.json())["error"]["code"]) == (status, code)
            assert int(answer.headers["retry-after"]) > 0


async def test_metrics_count_tasks(later: Later) -> None:
    await later.submitted(delay_s=60)
    async with later.http.get("/metrics") as answer:
        lines = (await answer.text()).split("\n")
    named = 'serve_app_tasks{priority="normal",state="delayed"} 1.0'
    assert named in lines
