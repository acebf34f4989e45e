"""Equal requests over three replicas: one call, and one more when its maker is killed midway."""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest
import yaml
from instances import KEYS, Instance
from provider.fixtures import ScriptedProvider

pytestmark = [pytest.mark.graph, pytest.mark.timeout(400)]

REPLICA = "ServeReplica:gateway:Gateway"
REPLICAS = 3
CALLERS = 500
CHAT = "/v1/chat/completions"


def config(provider: ScriptedProvider) -> dict[str, Any]:
    """Three ingress replicas with every stage in them, and the scripted provider."""
    timeouts = {"connect_s": 5, "first_token_s": 30, "idle_s": 30, "total_s": 60}
    models = [{"id": "ok", "context": 100_000, "capabilities": ["prefix"]}]
    backend = {"name": "p", "base_url": provider.base_url, "models": models, "timeouts": timeouts,
               "quirks": {"prefix": "partial"}}  # fmt: skip
    policy = {
        "routing": {"default": ["p/ok"]},
        "admission": {"require_key": False, "user_rpm": 0, "key_rpm": 0},
        "filter": {"max_input_chars": None},
    }
    gateway = {
        "name": "Gateway",
        "num_replicas": REPLICAS,
        "ray_actor_options": {"num_cpus": 0.1},
        "user_config": policy,
    }
    app = {
        "name": "gateway",
        "route_prefix": "/",
        "import_path": "serve_app.graph:build_gateway",
        "args": {
            "profile": "three",
            "redis": {"url": "embedded", "timeout_ms": 5000},
            "backends": [backend],
        },
        "deployments": [gateway],
    }
    return {"proxy_location": "EveryNode", "http_options": {"host": "127.0.0.1"},
            "logging_config": {"enable_access_log": False}, "applications": [app]}  # fmt: skip


@pytest.fixture
def three(provider_process: ScriptedProvider) -> Iterator[Instance]:
    """Fresh for each test: the replica with a connection to the provider is the one that asked."""
    where = Path(tempfile.mkdtemp(prefix="sa-t-"))  # a short one: socket paths have a limit
    path = where / "three.yaml"
    path.write_text(yaml.safe_dump(config(provider_process)), encoding="utf-8")
    instance = Instance(where, str(path), [], KEYS)
    instance.up()
    try:
        yield instance
    finally:
        instance.down()
        instance.remove()


@pytest.fixture
async def http(three: Instance, provider: ScriptedProvider) -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(three.url, connector=connector) as session:
        yield session


async def lookups(http: aiohttp.ClientSession) -> Counter[str]:
    """Requests of all replicas by cache level, read when every replica that is wanted is there."""
    there = {
        f'serve_app_replicas{{deployment="Gateway",state="{state}"}} {REPLICAS}.0'
        for state in ("wanted", "up")
    }
    async with asyncio.timeout(60):
        while True:
            async with http.get("/metrics") as answer:
                lines = (await answer.text()).splitlines()
            if there <= set(lines):
                break
            await asyncio.sleep(0.1)
    told = [line for line in lines if line.startswith("serve_app_cache_lookups_total")]
    return Counter({line.split('level="')[1].split('"')[0]: int(float(line.split()[-1]))
                    for line in told})  # fmt: skip


async def heard(http: aiohttp.ClientSession, count: int) -> Counter[str]:
    """Those levels when the metrics know of so many requests."""
    async with asyncio.timeout(60):
        while (levels := await lookups(http)).total() < count:
            await asyncio.sleep(0.1)
    return levels


async def test_five_hundred_equal_requests_make_one_call(
    http: aiohttp.ClientSession, provider: ScriptedProvider
) -> None:
    assert not await lookups(http), "all of them are there, and none was asked"
    provider.script("ok", "slow-2000ms")
    body = {"model": "ok", "messages": [{"role": "user", "content": "what do all want to know?"}]}

    async def ask() -> tuple[int, str]:
        async with http.post(CHAT, json=body) as answer:
            return answer.status, json.dumps((await answer.json())["choices"])

    ends = Counter(await asyncio.gather(*(ask() for _ in range(CALLERS))))
    assert len(ends) == 1, ends
    [((status, _), count)] = ends.items()
    assert (status, count) == (200, CALLERS)
    assert len(provider.log("ok")) == 1
    assert (await heard(http, CALLERS)).total() == CALLERS


async def test_one_more_call_when_the_replica_that_makes_it_is_killed(
    three: Instance, http: aiohttp.ClientSession, provider: ScriptedProvider
) -> None:
    """A caller whose own connection went down with that replica asks again, as clients do.

    One that had no byte of its answer yet is told so by HAProxy, with a 500 of its own.
    """
    assert not await lookups(http), "all of them are there"
    provider.script("ok", "drip-40ms")
    text = " ".join(f"word{number}" for number in range(100))
    body = {"model": "ok", "stream": True, "messages": [{"role": "user", "content": text}]}
    begun = asyncio.Event()
    again = 0

    async def once() -> str:
        said = ""
        async with http.post(CHAT, json=body) as answer:
            if answer.status == 500 and await answer.text() == "Internal Server Error":
                raise aiohttp.ServerDisconnectedError("HAProxy lost the replica")
            assert answer.status == 200, await answer.text()
            async for line in answer.content:
                if line.startswith(b"data: {"):
                    event = json.loads(line[6:])
                    assert "error" not in event, event
                    for choice in event["choices"]:
                        said += choice["delta"].get("content") or ""
                    if said.count("word") > 20:
                        begun.set()
                if line.startswith(b"data: [DONE]"):
                    return said
        raise aiohttp.ClientPayloadError("no end")

    async def ask() -> str:
        nonlocal again
        for _ in range(3):
            with contextlib.suppress(aiohttp.ClientError):
                return await once()
            again += 1
        raise AssertionError("no answer in three tries")

    tasks = [asyncio.create_task(ask()) for _ in range(60)]
    await asyncio.wait_for(begun.wait(), 60)
    maker = await asyncio.to_thread(maker_of, three, provider)
    maker.kill()
    said = set(await asyncio.gather(*tasks))
    assert said == {f"You said: {text}"}
    assert len(provider.log("ok")) == 2
    assert 0 < again < 60, f"{again} sat at the replica that died, the others did not notice"


def maker_of(instance: Instance, provider: ScriptedProvider) -> psutil.Process:
    """The one replica with a connection to the provider."""
    found = [
        process
        for process in instance.processes(REPLICA)
        if any(
            connection.raddr and connection.raddr.port == provider.port
            and connection.status == psutil.CONN_ESTABLISHED
            for connection in process.net_connections("tcp")
        )
    ]  # fmt: skip
    assert len(found) == 1, found
    return found[0]
