"""Any replica's scrape is of the whole service, also of replicas that are gone."""

from __future__ import annotations

import asyncio
import hashlib
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from later import Later, opened, policy
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_open
from prometheus_client.parser import text_string_to_metric_families as read_text
from prometheus_client.samples import Sample
from provider.fixtures import ScriptedProvider
from redis import Redis

from serve_app.store.embedded import EmbeddedValkey

CHAT = "/v1/chat/completions"
REQUESTS = 1000
PROGRAM = Path(__file__).with_name("metrics_replica.py")
OPEN_METRICS = "application/openmetrics-text; version=1.0.0"


async def ask(http: aiohttp.ClientSession, text: str = "hello", **more: Any) -> int:
    body = {"model": "ok", "messages": [{"role": "user", "content": text}], **more}
    async with http.post(CHAT, json=body) as answer:
        await answer.read()
        return answer.status


async def crowd(doors: list[aiohttp.ClientSession], count: int) -> None:
    """So many requests over all doors, a few at once."""

    async def some(first: int) -> None:
        for number in range(first, count, 20):
            assert await ask(doors[number % len(doors)]) == 200

    await asyncio.gather(*(some(first) for first in range(20)))


async def scraped(http: aiohttp.ClientSession, accept: str = "text/plain") -> list[Sample]:
    async with http.get("/metrics", headers={"accept": accept}) as answer:
        text = await answer.text()
        assert answer.status == 200
    read = read_open if "openmetrics" in accept else read_text
    return [sample for family in read(text) for sample in family.samples]


def total(samples: list[Sample], name: str, **labels: str) -> float:
    return sum(
        sample.value
        for sample in samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


async def requests(http: aiohttp.ClientSession) -> float:
    return total(await scraped(http), "serve_app_requests_total", route=CHAT)


async def until(count: float, *doors: aiohttp.ClientSession) -> None:
    """Wait until every door tells this number of requests."""
    async with asyncio.timeout(10):
        for door in doors:
            while (seen := await requests(door)) != count:
                assert seen < count, "counted twice"
                await asyncio.sleep(0.05)


@asynccontextmanager
async def replica(valkey: EmbeddedValkey, provider: ScriptedProvider) -> AsyncIterator[Any]:
    """A process of its own, and a client for it; killed in the end."""
    words = (sys.executable, str(PROGRAM), valkey.url, provider.base_url, "killed")
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            url = (await process.stdout.readline()).decode().strip()
        async with aiohttp.ClientSession(url) as http:
            yield process, http
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_a_thousand_requests_at_three_replicas_are_a_thousand_at_each(
    clean_valkey: EmbeddedValkey, provider: ScriptedProvider
) -> None:
    """One of them is killed, one is closed, one is new: it stays a thousand."""
    async with AsyncExitStack() as stack:
        killed, first = await stack.enter_async_context(replica(clean_valkey, provider))
        houses: list[Later] = [
            await stack.enter_async_context(
                opened(clean_valkey.url, provider.base_url, replica=name)
            )
            for name in ("b", "c")
        ]
        doors = [first, *(house.http for house in houses)]
        await crowd(doors, REQUESTS)
        await until(REQUESTS, *doors)
        up = {"deployment": "Gateway", "state": "up"}
        assert total(await scraped(doors[1]), "serve_app_replicas", **up) == 3
        killed.kill()
        await killed.wait()
        await until(REQUESTS, *doors[1:])
    async with opened(clean_valkey.url, provider.base_url, replica="d") as new:
        await until(REQUESTS, new.http)
        samples = await scraped(new.http)
        assert total(samples, "serve_app_request_seconds_count", route=CHAT) == REQUESTS
        assert total(samples, "serve_app_cache_lookups_total") == REQUESTS
        assert total(samples, "serve_app_metrics_complete") == 1


async def test_metrics_ledger_and_what_callers_hear_are_the_same_money(later: Later) -> None:
    for number in range(20):
        assert await ask(later.http, f"question {number % 15}", user="ann") == 200
    samples = await scraped(later.http)
    cost = total(samples, "serve_app_cost_micro_usd_total", backend="p", model="ok")
    await later.house.ledger.flush()
    [day] = (await later.house.ledger.by_day("default", later.house.ledger.last_days(1))).values()
    assert cost == day.total.cost_micro_usd > 0
    saved = total(samples, "serve_app_saved_micro_usd_total")
    assert saved == day.total.saved_micro_usd > 0
    for direction, tokens in (
        ("input", day.total.prompt_tokens),
        ("output", day.total.completion_tokens),
    ):
        assert total(samples, "serve_app_tokens_total", direction=direction) == tokens > 0


async def test_open_metrics_has_an_example_of_each_latency(later: Later) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    named = {"x-request-id": "req-mine"}
    traced = {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    for headers, text in ((named, "one"), (traced, "two")):
        body = {"model": "ok", "messages": [{"role": "user", "content": text}]}
        async with later.http.post(CHAT, json=body, headers=headers) as answer:
            assert answer.status == 200
        samples = await scraped(later.http, OPEN_METRICS)
        examples = [s.exemplar for s in samples if s.exemplar and s.labels.get("route") == CHAT]
        ids = {"trace_id": trace} if headers is traced else {"request_id": "req-mine"}
        assert ids in [example.labels for example in examples]
    model = {"gen_ai_operation_name": "chat", "gen_ai_response_model": "ok"}
    counted = total(samples, "gen_ai_server_request_duration_seconds_count", **model)
    assert counted == 2


@pytest.mark.parametrize(("is_on", "tenants"), [(False, set()), (True, {"a", "b", "other"})])
async def test_tenants_are_told_apart_where_the_policy_says_so(
    clean_valkey: EmbeddedValkey, provider: ScriptedProvider, is_on: bool, tenants: set[str]
) -> None:
    keys = [{"key": f"sk-{name}", "tenant": name} for name in "abcd"]
    digests = [{"sha256": _sha256(key["key"]), "tenant": key["tenant"]} for key in keys]
    rules = policy(
        admission={"require_key": True, "keys": digests},
        metrics={"tenants": is_on, "max_tenants": 2},
    )
    async with opened(clean_valkey.url, provider.base_url, rules=rules) as later:
        for name in "abcd":
            body = {"model": "ok", "messages": [{"role": "user", "content": "hello"}]}
            headers = {"authorization": f"Bearer sk-{name}"}
            async with later.http.post(CHAT, json=body, headers=headers) as answer:
                assert answer.status == 200
            samples = await scraped(later.http)
    told = [sample for sample in samples if sample.name == "serve_app_requests_total"]
    assert {sample.labels["tenant"] for sample in told if "tenant" in sample.labels} == tenants
    assert total(samples, "serve_app_requests_total", route=CHAT, status="200") == 4


async def test_while_redis_is_away_a_scrape_tells_what_it_knows(
    tmp_path: Path, provider: ScriptedProvider
) -> None:
    valkey = EmbeddedValkey(tmp_path / "own")
    valkey.start()
    try:
        async with opened(valkey.url, provider.base_url) as later:
            assert await ask(later.http) == 200
            await until(1, later.http)
            valkey.stop()
            assert await ask(later.http, "again") == 200
            samples = await scraped(later.http)
            assert total(samples, "serve_app_requests_total", route=CHAT) == 2
            assert total(samples, "serve_app_metrics_complete") == 0
            assert total(samples, "serve_app_redis_up") == 0
            valkey.start()
            async with asyncio.timeout(20):
                while not total(await scraped(later.http), "serve_app_metrics_complete"):
                    await asyncio.sleep(0.1)
            with Redis.from_url(valkey.url) as redis:
                assert redis.keys("*metrics*")
    finally:
        valkey.stop()


def _sha256(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
