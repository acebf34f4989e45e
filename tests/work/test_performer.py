"""Jobs carried out in process: the same answer as over HTTP, in the books and in the log."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from later import Later, policy
from provider.fixtures import ScriptedProvider

from serve_app.core.job import Job

CHAT = {"model": "ok", "messages": [{"role": "user", "content": "one two three"}]}


def job(body: Any = CHAT, path: str = "/v1/chat/completions", **more: Any) -> Job:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Job(path=path, body=content, **{"tenant": "default", **more})


async def test_a_job_is_answered_as_a_request_is(later: Later) -> None:
    outcome = await later.house.performer.perform(job())
    assert (outcome.status, outcome.code, outcome.is_final) == (200, "", True)
    said = json.loads(outcome.body)["choices"][0]["message"]["content"]
    assert said == "You said: one two three"
    assert (outcome.backend, outcome.model, outcome.cache) == ("p", "ok", "miss")
    assert outcome.completion_tokens > 0
    assert outcome.cost_micro_usd > 0
    again = await later.house.performer.perform(job())
    assert again.cache in ("l1", "flight")
    assert again.cost_micro_usd == 0


async def test_who_listens_hears_the_text_as_it_comes(
    later: Later, provider: ScriptedProvider
) -> None:
    provider.script("ok", "drip-20ms")
    heard: list[str] = []

    async def hear(text: str) -> None:
        heard.append(text)

    outcome = await later.house.performer.perform(job(), hear)
    body = json.loads(outcome.body)
    assert len(heard) > 1
    assert "".join(heard) == body["choices"][0]["message"]["content"]
    assert body["object"] == "chat.completion"
    assert body["usage"]["completion_tokens"] == outcome.completion_tokens > 0
    assert provider.log("ok")[0]["stream"] is True


async def test_a_job_that_asks_for_a_stream_gets_a_body(later: Later) -> None:
    outcome = await later.house.performer.perform(job({**CHAT, "stream": True}))
    assert json.loads(outcome.body)["object"] == "chat.completion"


async def test_tool_calls_of_a_stream_are_whole(
    open_later: Callable[..., Any], provider: ScriptedProvider
) -> None:
    provider.script("ok", "tools-parallel")
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
    asked = {**CHAT, "tools": [tool]}
    abilities = ["tools", "parallel_tools"]

    async def hear(text: str) -> None:
        """Only for the stream."""

    async with open_later(abilities=abilities) as later:
        outcome = await later.house.performer.perform(job(asked), hear)
        async with later.http.post("/v1/chat/completions", json=asked) as answer:
            now = await answer.json()
    assert outcome.status == 200, outcome.body
    calls = json.loads(outcome.body)["choices"][0]["message"]["tool_calls"]
    assert len(calls) == 2
    assert calls == now["choices"][0]["message"]["tool_calls"]


@pytest.mark.parametrize(
    ("asked", "status", "code", "is_final"),
    [
        (job(b"{"), 400, "invalid_json", True),
        (job({"model": "no", "messages": CHAT["messages"]}), 404, "model_not_found", True),
        (job(path="/v1/nothing"), 404, "not_found", True),
        (job(headers={"cache-control": "max-age=x"}), 400, "invalid_request", True),
        (job(headers={"cache-control": "only-if-cached"}), 504, "not_cached", True),
        (job(tenant="another"), 401, "key_of_another_tenant", True),
    ],
)
async def test_what_goes_wrong_is_an_outcome(
    later: Later, asked: Job, status: int, code: str, is_final: bool
) -> None:
    outcome = await later.house.performer.perform(asked)
    assert (outcome.status, outcome.code, outcome.is_final) == (status, code, is_final)
    assert json.loads(outcome.body)["error"]["code"] == code


async def test_a_key_that_is_gone_is_refused_for_good(later: Later) -> None:
    """But only when all keys are known: before that it may be one that was not heard of yet."""
    asked = job(key="1" * 64)
    while (outcome := await later.house.performer.perform(asked)).code == "keys_unavailable":
        assert not outcome.is_final
        await asyncio.sleep(0.02)
    assert (outcome.status, outcome.code, outcome.is_final) == (401, "invalid_api_key", True)


async def test_errors_look_as_the_api_has_them(later: Later) -> None:
    outcome = await later.house.performer.perform(job({"model": "ok"}, "/v1/messages"))
    assert json.loads(outcome.body)["type"] == "error"


async def test_a_backend_that_is_down_is_worth_another_try(
    later: Later, provider: ScriptedProvider
) -> None:
    provider.script("ok", "status-500")
    outcome = await later.house.performer.perform(job())
    assert (outcome.status, outcome.is_final) == (502, False)


async def test_a_limit_says_when_to_come_back(open_later: Callable[..., Any]) -> None:
    limits = [{"per": ["tenant"], "requests_per_minute": 1}]
    async with open_later(
        rules=policy(admission={"require_key": False, "limits": limits})
    ) as later:
        assert (await later.house.performer.perform(job())).status == 200
        outcome = await later.house.performer.perform(job())
    assert (outcome.status, outcome.code) == (429, "rate_limit_exceeded")
    assert not outcome.is_final
    assert outcome.retry_after_s > 0


async def test_a_cancelled_job_leaves_its_provider_and_is_seen(
    later: Later, provider: ScriptedProvider
) -> None:
    provider.script("ok", "endless")

    async def hear(text: str) -> None:
        """Only for the stream."""

    doing = asyncio.create_task(later.house.performer.perform(job(once="n"), hear))
    assert await asyncio.to_thread(provider.wait, "ok", "seen")
    doing.cancel()
    await asyncio.gather(doing, return_exceptions=True)
    assert doing.cancelled()
    assert await asyncio.to_thread(provider.wait, "ok", "aborted")
    async with later.http.get("/metrics") as answer:
        text = await answer.text()
    assert 'serve_app_requests_total{route="/v1/chat/completions",status="499"} 1.0' in text


async def test_a_name_is_charged_once_and_a_job_without_one_each_time(later: Later) -> None:
    fresh = {"cache-control": "no-cache"}
    for once in ("a", "a", "", ""):
        outcome = await later.house.performer.perform(job(headers=fresh, once=once))
        assert outcome.status == 200
    assert await later.house.ledger.confirmed("default", 5)
    total = (await later.house.ledger.totals("default")).total
    assert total.requests == 3
    assert total.cost_micro_usd == 3 * outcome.cost_micro_usd


async def test_limits_are_charged_once_and_nothing_stays_reserved(
    open_later: Callable[..., Any],
) -> None:
    key = "a key"
    sha256 = hashlib.sha256(key.encode()).hexdigest()
    admission = {
        "require_key": True,
        "keys": [{"sha256": sha256, "tenant": "acme", "user": "ann"}],
        "limits": [{"per": ["user"], "parallel": 1, "budget": {"total": 1}}],
    }
    async with open_later(rules=policy(admission=admission)) as later:
        fresh = {"cache-control": "no-cache"}
        for _ in range(3):  # each needs the one place there is
            asked = job(key=sha256, tenant="acme", once="a", headers=fresh)
            outcome = await later.house.performer.perform(asked)
            assert outcome.status == 200, outcome.body
        headers = {"authorization": f"Bearer {key}"}
        async with later.http.get("/v1/usage", headers=headers) as answer:
            usage = await answer.json()
    assert usage["total"]["requests"] == 1
    assert usage["total"]["cost_usd"] == f"{outcome.cost_micro_usd / 1e6:.6f}"
    [budget] = usage["budgets"]
    assert (budget["spent_usd"], budget["held_usd"]) == (usage["total"]["cost_usd"], "0.000000")
