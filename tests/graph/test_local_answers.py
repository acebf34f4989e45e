"""The real model through the whole graph, with no hosted backend in the way."""

from __future__ import annotations

import asyncio
import itertools

import aiohttp
import pytest
from instances import Instance
from openai import OpenAI
from provider.fixtures import ScriptedProvider

pytestmark = [pytest.mark.graph, pytest.mark.model, pytest.mark.timeout(700)]

_numbers = itertools.count()


def test_a_sensible_answer_and_then_a_hit(client: OpenAI) -> None:
    asked = [{"role": "user", "content": "What is the capital of France?"}]
    first = client.chat.completions.with_raw_response.create(
        model="local",
        messages=asked,
        temperature=0,  # type: ignore[arg-type]
    )
    again = client.chat.completions.with_raw_response.create(
        model="local",
        messages=asked,
        temperature=0,  # type: ignore[arg-type]
    )
    assert "Paris" in (first.parse().choices[0].message.content or "")
    assert first.headers["x-serve-app-backend"] == "local"
    assert again.headers["x-serve-app-cache"] in ("l1", "l2", "flight")
    assert again.parse().choices == first.parse().choices


def test_it_streams(client: OpenAI) -> None:
    asked = [{"role": "user", "content": f"Count from 1 to 5. ({next(_numbers)})"}]
    stream = client.chat.completions.create(
        model="local",
        messages=asked,
        stream=True,
        max_tokens=40,  # type: ignore[arg-type]
    )
    pieces = [c.choices[0].delta.content or "" for c in stream if c.choices]
    assert len([piece for piece in pieces if piece]) > 3


async def test_the_local_model_answers_when_every_hosted_backend_fails(
    http: aiohttp.ClientSession, provider: ScriptedProvider
) -> None:
    for model in ("gpt-5-nano", "gpt-5-mini", "gpt-5", "deepseek-v4-flash", "deepseek-v4-pro"):
        provider.script(model, "status-503")
    text = f"Say hello. ({next(_numbers)})"
    body = {"model": "auto", "max_tokens": 20, "messages": [{"role": "user", "content": text}]}
    async with http.post("/v1/chat/completions", json=body) as answer:
        assert answer.status == 200, await answer.text()
        assert answer.headers["x-serve-app-backend"] == "local"


async def test_one_that_leaves_does_not_hold_up_eight_others(gateway: Instance) -> None:
    async def ask(http: aiohttp.ClientSession) -> int:
        text = f"Tell me about number {next(_numbers)}."
        body = {
            "model": "local", "max_tokens": 16,
            "messages": [{"role": "user", "content": text}],
        }  # fmt: skip
        async with http.post("/v1/chat/completions", json=body) as answer:
            return answer.status

    long = {
        "model": "local", "max_tokens": 1500, "stream": True,
        "messages": [{"role": "user", "content": f"Tell a long story ({next(_numbers)})."}],
    }  # fmt: skip
    async with aiohttp.ClientSession(gateway.url) as http, asyncio.timeout(300):
        leaving = await http.post("/v1/chat/completions", json=long)
        await leaving.content.readany()
        leaving.close()
        assert await asyncio.gather(*(ask(http) for _ in range(8))) == [200] * 8
