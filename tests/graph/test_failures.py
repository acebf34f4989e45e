"""Things that die under load: every request ends in time with an answer or a clear error, and
everything works again by itself."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from instances import Instance
from provider.fixtures import ScriptedProvider

pytestmark = [pytest.mark.graph, pytest.mark.timeout(700)]

LIMIT_S = 45.0
"""No request may take longer, whatever dies."""

REPLICA = "ServeReplica:gateway:Gateway"

_numbers = itertools.count()


class Load:
    """Callers that ask all the time, each question a new one; counts how each ended."""

    def __init__(self, url: str, model: str) -> None:
        self._url = url
        self._model = model
        self._stop = asyncio.Event()
        self.ends: Counter[str] = Counter()
        self.slowest_s = 0.0

    async def run(self, callers: int = 8) -> None:
        timeout = aiohttp.ClientTimeout(total=LIMIT_S * 2)
        async with aiohttp.ClientSession(self._url, timeout=timeout) as http:
            await asyncio.gather(*(self._caller(http) for _ in range(callers)))

    async def _caller(self, http: aiohttp.ClientSession) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            self.ends[await self._ask(http)] += 1
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)
            await asyncio.sleep(0.01)

    async def _ask(self, http: aiohttp.ClientSession) -> str:
        text = f"load {next(_numbers)}"
        body = {"model": self._model, "messages": [{"role": "user", "content": text}]}
        try:
            async with http.post("/v1/chat/completions", json=body) as answer:
                if answer.status != 200:
                    return f"error {answer.status}"
                said = (await answer.json())["choices"][0]["message"]["content"]
                return "right" if said == f"You said: {text}" else f"wrong: {said}"
        except aiohttp.ClientError as error:
            return type(error).__name__

    def stop(self) -> None:
        self._stop.set()


async def until(condition: Callable[[], Awaitable[Any]], limit_s: float = 60) -> None:
    async with asyncio.timeout(limit_s):
        while not await condition():
            await asyncio.sleep(0.05)


async def ready(gateway: Instance) -> bool:
    async with aiohttp.ClientSession(gateway.url) as http:
        try:
            async with http.get("/health/readiness") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False


async def under_load(
    gateway: Instance, model: str, harm: Callable[[Load], Awaitable[None]]
) -> Load:
    """Load while `harm` is done, and until twenty more answers are right after it."""
    load = Load(gateway.url, model)
    running = asyncio.create_task(load.run())
    try:
        await until(lambda: _at_least(load, 20))
        await harm(load)
        seen = load.ends["right"]
        await until(lambda: _at_least(load, seen + 20))
    finally:
        load.stop()
        await asyncio.wait_for(running, LIMIT_S * 3)
    wrong = [end for end in load.ends if end.startswith("wrong")]
    assert not wrong
    assert load.slowest_s < LIMIT_S
    return load


async def _at_least(load: Load, count: int) -> bool:
    return load.ends["right"] >= count


async def test_a_primary_that_dies_is_replaced_and_comes_back(
    gateway: Instance, provider: ScriptedProvider
) -> None:
    async def harm(load: Load) -> None:
        provider.script("deepseek-v4-flash", "reset-before-headers")
        asked = load.ends.total()
        await until(lambda: _more(load, asked + 60))
        provider.reset()
        assert await asyncio.to_thread(provider.wait, "deepseek-v4-flash", "done", 5, 60)

    load = await under_load(gateway, "cheap", harm)
    assert set(load.ends) == {"right"}


async def _more(load: Load, count: int) -> bool:
    return load.ends.total() >= count


async def test_valkey_that_dies_is_missed_by_nobody_and_comes_back(
    gateway: Instance, provider: ScriptedProvider
) -> None:
    async def harm(load: Load) -> None:
        [valkey] = gateway.processes("valkey-server")
        valkey.kill()
        await until(lambda: _another(gateway, "valkey-server", valkey.pid))
        await until(lambda: ready(gateway))

    load = await under_load(gateway, "cheap", harm)
    assert set(load.ends) == {"right"}


async def _another(gateway: Instance, name: str, old: int) -> bool:
    return any(process.pid != old for process in gateway.processes(name))


async def test_an_ingress_replica_killed_under_load_comes_back(
    gateway: Instance, provider: ScriptedProvider
) -> None:
    """The only replica: requests in flight are lost with it, the next ones are told so."""

    async def harm(load: Load) -> None:
        [replica] = gateway.processes(REPLICA)
        replica.kill()
        await until(lambda: _another(gateway, REPLICA, replica.pid), 120)
        await until(lambda: ready(gateway), 120)

    load = await under_load(gateway, "cheap", harm)
    # The last two: a connection that ended, before an answer or visibly in the middle of one.
    ends = {"right", "error 500", "error 502", "error 503"}
    clear = ends | {"ServerDisconnectedError", "ClientPayloadError"}
    assert set(load.ends) <= clear, load.ends


@pytest.mark.parametrize("stream", [True, False])
async def test_a_caller_that_leaves_frees_the_provider(
    gateway: Instance, provider: ScriptedProvider, stream: bool
) -> None:
    model = "gpt-5-mini"
    provider.script(model, "endless" if stream else "ok-slow-20000ms")
    body = {
        "model": model, "stream": stream,
        "messages": [{"role": "user", "content": f"leave {next(_numbers)}"}],
    }  # fmt: skip
    async with aiohttp.ClientSession(gateway.url) as http:
        asking = asyncio.create_task(http.post("/v1/chat/completions", json=body))
        assert await asyncio.to_thread(provider.wait, model, "seen")
        if stream:
            answer = await asking
            await answer.content.readany()
            answer.close()
        else:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
    assert await asyncio.to_thread(provider.wait, model, "aborted", 1, 5)
