"""A row through a gateway: what is read, what is tried again, and what ends the whole batch."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from batch_world import order
from provider.fixtures import ScriptedProvider

from serve_app.batch.caller import Caller, Hopeless, Terms
from serve_app.batch.pause import Pause
from serve_app.batch.replies import read_answer, read_refusal
from serve_app.batch.results import Result
from serve_app.core.clock import SystemClock

MESSAGES = b'[{"role":"user","content":"hi"}]'


@dataclass
class World:
    """Callers of one provider."""

    session: aiohttp.ClientSession
    provider: ScriptedProvider
    url: str = ""

    async def answer(
        self, model: str = "m", *, patience_s: float = 20.0, timeout_s: float = 5.0, key: str = ""
    ) -> Result:
        given = order(Path("i"), Path("o"), model=model, url=self.url or self.provider.base_url)
        terms = Terms.of(given, key)
        terms = Terms(terms.url, terms.key, terms.fields, timeout_s, patience_s)
        clock, lot = SystemClock(), random.Random(1)
        caller = Caller(self.session, terms, Pause(clock, lot), clock, lot)
        return await caller.answer(7, MESSAGES)


@pytest.fixture
async def world(provider: ScriptedProvider) -> AsyncIterator[World]:
    timeout = aiohttp.ClientTimeout(total=2)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        yield World(session, provider)


async def test_an_answer_is_read_and_the_request_says_that_it_can_wait(world: World) -> None:
    result = await world.answer("echo", key="sk-batch")
    assert (result.row, result.finish_reason, result.kind) == (7, "stop", "")
    assert json.loads(result.response or "") == {
        "model": "echo",
        "temperature": 0.0,
        "messages": [{"role": "user", "content": "hi"}],
    }
    assert result.completion_tokens > 0
    assert 0 < result.began <= result.ended
    [entry] = world.provider.log()
    assert entry["has_authorization"]


@pytest.mark.parametrize(
    "step", ["status-503", "status-429-retry-after-0", "status-502", "reset-before-headers"]
)
async def test_what_passes_is_tried_again(world: World, step: str) -> None:
    world.provider.script("m", step, step, "ok")
    assert (await world.answer()).response == "You said: hi"
    assert len(world.provider.log("m")) == 3


async def test_a_retry_after_is_waited_for(world: World) -> None:
    world.provider.script("m", "status-429-retry-after-1", "ok")
    await world.answer()
    [pause] = world.provider.pauses("m")
    assert pause >= 1


async def test_a_rows_own_fault_is_its_error_and_is_not_tried_again(world: World) -> None:
    world.provider.script("m", "bad-request")
    result = await world.answer()
    assert (result.response, result.kind) == (None, "invalid_value")
    assert "temperature" in result.message
    assert len(world.provider.log("m")) == 1


async def test_an_internal_error_that_comes_back_is_the_rows(world: World) -> None:
    world.provider.script("m", "status-500-retry-after-0")
    result = await world.answer()
    assert result.kind
    assert len(world.provider.log("m")) == 4


async def test_a_backend_that_stays_away_is_the_rows_error_in_the_end(world: World) -> None:
    world.provider.script("m", "status-502-retry-after-0")
    assert (await world.answer(patience_s=0.2)).failed


async def test_an_answer_that_never_comes_is_a_timeout(world: World) -> None:
    world.provider.script("m", "no-response")
    assert (await world.answer(patience_s=0.1)).kind == "timeout"


async def test_what_is_no_completion_is_not_paid_twice(world: World) -> None:
    world.provider.script("m", "error-in-200")
    assert (await world.answer()).kind == "no_answer"
    assert len(world.provider.log("m")) == 1


@pytest.mark.parametrize("step", ["status-429-retry-after-900", "status-503-retry-after-900"])
async def test_a_limit_that_outlasts_the_patience_ends_the_batch_not_the_row(
    world: World, step: str
) -> None:
    world.provider.script("m", step)
    with pytest.raises(Hopeless, match="no more for now"):
        await world.answer()


async def test_a_gateway_that_is_not_there_ends_the_batch(world: World) -> None:
    world.url = "http://127.0.0.1:9"
    with pytest.raises(Hopeless, match="does not answer"):
        await world.answer(patience_s=0.1)


@pytest.mark.parametrize("code", ["invalid_api_key", "budget_exceeded", "model_not_found"])
async def test_what_every_row_would_be_told_is_known_by_its_code(code: str) -> None:
    body = json.dumps({"error": {"message": "no", "code": code}}).encode()
    said = read_refusal(429, {"retry-after": "5"}, body, True)
    assert (said.code, said.message, said.retry_after_s) == (code, "no", 5.0)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"error": "text"}', b"\xff"])
def test_a_refusal_without_words_is_named_by_its_status(body: bytes) -> None:
    said = read_refusal(502, {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, body, True)
    assert (said.code, said.message, said.retry_after_s) == ("http_502", "HTTP 502", None)


@pytest.mark.parametrize(
    ("cache", "cached"), [("miss", False), ("l1", True), ("semantic", True), ("flight", True)]
)
def test_cost_and_cache_come_from_the_head(cache: str, cached: bool) -> None:
    body = b'{"choices":[{"message":{"content":null,"tool_calls":[{"id":"c"}]}}]}'
    headers = {"x-serve-app-cost-usd": "0.000123", "x-serve-app-cache": cache}
    said = read_answer(1, headers, body, 1.0, 2.0)
    assert isinstance(said, Result)
    assert (said.cost_micro_usd, said.cached) == (123, cached)
    assert said.response == '[{"id":"c"}]'


async def test_a_pause_holds_everybody_and_the_longest_counts() -> None:
    clock = SystemClock()
    pause = Pause(clock, random.Random(1))
    await pause.over()
    pause.ask(0.2)
    pause.ask(0.05)
    began = time.monotonic()
    await asyncio.gather(pause.over(), pause.over())
    assert time.monotonic() - began >= 0.2
