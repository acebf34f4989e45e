"""What is billed when an answer takes more than one backend: what each of them delivered."""

from __future__ import annotations

from typing import Any

from houses import Open, policy
from provider.fixtures import ScriptedProvider
from test_flow import until

PRICES = {
    "ok": {"input": 1_000_000, "output": 2_000_000},
    "second": {"input": 3_000_000, "output": 5_000_000},
}
ROUTES = {"both": {"models": ["p/ok", "p/second"]}}


async def settled(flow: Any, requests: int) -> Any:
    async def found() -> Any:
        totals = await flow.house.ledger.totals("default")
        return totals if totals.total.requests == requests else None

    return await until(found)


async def test_a_recovered_stream_is_one_request_and_paid_where_it_was_made(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    provider.script("ok", "cut-after-3")
    rules = policy(routing={"routes": ROUTES}, prices=PRICES)
    async with open_flow(rules=rules) as flow:
        text = "one two three four five"
        _, _, events = await flow.chat(text, model="both", stream=True)
        assert events[-1] == "[DONE]"
        totals = await settled(flow, 1)
    broken, whole = totals.models["ok"], totals.models["second"]
    assert (broken.requests, whole.requests) == (0, 1)
    assert 0 < broken.completion_tokens < whole.completion_tokens
    spent = [(broken, 1, 2), (whole, 3, 5)]
    assert totals.total.cost_micro_usd == sum(
        sums.prompt_tokens * i + sums.completion_tokens * o for sums, i, o in spent
    )


async def test_attempts_that_delivered_nothing_cost_nothing(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    provider.script("ok", "status-503")
    rules = policy(routing={"routes": ROUTES}, prices=PRICES)
    async with open_flow(rules=rules) as flow:
        status, headers, body = await flow.chat("hello", model="both")
        assert (status, headers["x-serve-app-attempts"]) == (200, "3")
        totals = await settled(flow, 1)
    assert set(totals.models) == {"second"}
    usage = body["usage"]
    expected = usage["prompt_tokens"] * 3 + usage["completion_tokens"] * 5
    assert totals.total.cost_micro_usd == expected


async def test_a_request_that_nobody_answered_is_counted_and_free(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    provider.script("ok", "status-503")
    async with open_flow(rules=policy(prices=PRICES)) as flow:
        status, _, _ = await flow.chat("hello", model="ok")
        assert status == 502
        total = (await settled(flow, 1)).total
    assert (total.failed, total.cost_micro_usd) == (1, 0)
