"""Limits and budgets over three replicas and sixty-four clients, and with replicas killed midway.

Who is limited asks as fast as it may be refused, so that a limit that lets one too many through,
or keeps one too many out, is seen.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from instances import KEYS, Instance
from msgspec import Struct
from provider.fixtures import ScriptedProvider

pytestmark = [pytest.mark.graph, pytest.mark.timeout(400)]

REPLICA = "ServeReplica:gateway:Gateway"
REPLICAS = 3
CLIENTS = 64
CHAT = "/v1/chat/completions"
ADMIN = "sk-admin-of-the-test"
SECONDS = 20.0

BUDGET_MICRO_USD = 30_000
RPM, TPM, PARALLEL = 300, 12_000, 3
LIMITS: dict[str, dict[str, Any]] = {
    "often": {"requests_per_minute": RPM},
    "much": {"tokens_per_minute": TPM},
    "rich": {"budget": {"day": BUDGET_MICRO_USD / 1e6}},
    "wide": {"parallel": PARALLEL},
}
"""By user, whose key has them."""


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def config(provider: ScriptedProvider) -> dict[str, Any]:
    timeouts = {"connect_s": 5, "first_token_s": 30, "idle_s": 30, "total_s": 60}
    models = [{"id": model, "context": 100_000} for model in ("ok", "slow")]
    backend = {"name": "p", "base_url": provider.base_url, "models": models, "timeouts": timeouts}
    keys = [
        {"sha256": digest(user), "tenant": user, "user": user, "limits": limits}
        for user, limits in (*LIMITS.items(), ("free", {"budget": {"day": 1000}}))
    ]
    policy = {
        "routing": {"default": ["p/ok"]},
        "prices": {"ok": {"input": 1_000_000, "output": 2_000_000}},
        "admission": {"keys": keys, "admin_keys": [digest(ADMIN)], "user_rpm": 0, "key_rpm": 0,
                      "without_redis": "fail_closed"},
        "cache": {"enabled": False},
        "filter": {"max_input_chars": None},
    }  # fmt: skip
    gateway = {
        "name": "Gateway",
        "num_replicas": REPLICAS,
        "ray_actor_options": {"num_cpus": 0.1},
        "user_config": policy,
    }
    args = {"profile": "three", "redis": {"url": "embedded", "timeout_ms": 5000},
            "backends": [backend], "ledger": {"lease_s": 3, "confirm_ms": 5000}}  # fmt: skip
    app = {
        "name": "gateway",
        "route_prefix": "/",
        "import_path": "serve_app.graph:build_gateway",
        "args": args,
        "deployments": [gateway],
    }
    return {"proxy_location": "EveryNode", "http_options": {"host": "127.0.0.1"},
            "logging_config": {"enable_access_log": False}, "applications": [app]}  # fmt: skip


@pytest.fixture(scope="module")
def three(provider_process: ScriptedProvider) -> Iterator[Instance]:
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


class Seen(Struct):
    """What the clients of one user saw."""

    answered: int = 0
    tokens: int = 0
    refused: int = 0
    broken: int = 0
    others: Counter[int] = Counter()


async def ask(http: aiohttp.ClientSession, user: str, seen: Seen, model: str = "ok") -> None:
    body = {"model": model, "max_tokens": 6,
            "messages": [{"role": "user", "content": "to say four words"}]}  # fmt: skip
    headers = {"authorization": f"Bearer {user}"}
    try:
        async with http.post(CHAT, json=body, headers=headers) as answer:
            content = await answer.json()
            if answer.status == 200:
                seen.answered += 1
                seen.tokens += content["usage"]["total_tokens"]
            elif answer.status == 429:
                assert answer.headers["x-serve-app-limit"].endswith("per key")
                assert int(answer.headers["retry-after"]) >= 1
                seen.refused += 1
            else:
                seen.others[answer.status] += 1
    except aiohttp.ClientError:
        seen.broken += 1


async def usage(http: aiohttp.ClientSession, user: str) -> dict[str, Any]:
    async with http.get("/v1/usage", headers={"authorization": f"Bearer {user}"}) as answer:
        assert answer.status == 200, await answer.text()
        return dict(await answer.json())


def micro(usd: str) -> int:
    return round(float(usd) * 1e6)


async def test_no_limit_is_overrun_and_none_is_left_unused(http: aiohttp.ClientSession) -> None:
    seen = {user: Seen() for user in LIMITS}
    began = time.monotonic()

    async def client(user: str) -> None:
        while time.monotonic() - began < SECONDS or not seen[user].refused:
            await ask(http, user, seen[user])

    async with asyncio.timeout(6 * SECONDS):  # a slow machine needs longer to spend a budget
        await asyncio.gather(*(client(user) for user in LIMITS for _ in range(CLIENTS // 4)))
    lasted = time.monotonic() - began
    for user, one in seen.items():
        assert not one.others, (user, one)
        assert one.refused, f"{user} never met the limit: {one}"

    often = RPM * (1 + lasted / 60)
    assert seen["often"].answered <= often
    assert seen["often"].answered >= 0.99 * RPM * (1 + SECONDS / 60) - 1

    assert seen["much"].tokens <= TPM * (1 + lasted / 60)
    assert seen["much"].tokens >= 0.99 * TPM * (1 + SECONDS / 60) - 50

    rich = await usage(http, "rich")
    [day] = rich["budgets"]
    assert micro(day["spent_usd"]) <= BUDGET_MICRO_USD
    assert micro(day["spent_usd"]) >= 0.99 * BUDGET_MICRO_USD
    assert day["spent_usd"] == rich["total"]["cost_usd"]
    for user, one in seen.items():
        total = (await usage(http, user))["total"]
        assert total["requests"] == one.answered
        assert total["prompt_tokens"] + total["completion_tokens"] == one.tokens


async def test_places_for_requests_at_once_are_all_used_and_no_more(
    http: aiohttp.ClientSession, provider: ScriptedProvider
) -> None:
    provider.script("slow", "slow-300ms")
    seen = Seen()
    most = over = 0
    done = asyncio.Event()

    async def client() -> None:
        while not done.is_set():
            await ask(http, "wide", seen, "slow")

    clients = [asyncio.create_task(client()) for _ in range(16)]
    try:
        began = time.monotonic()
        while time.monotonic() - began < SECONDS / 4:
            _, now = await asyncio.to_thread(provider.open)
            # The provider notes the end of a request after its caller has the answer.
            over = over + 1 if now > PARALLEL else 0
            assert over < 3
            most = max(most, min(now, PARALLEL))
    finally:
        done.set()
        await asyncio.gather(*clients)
    assert most == PARALLEL
    assert seen.answered
    assert seen.refused
    assert not seen.others


async def test_what_killed_replicas_held_comes_back_and_what_was_answered_is_in_the_ledger(
    three: Instance, http: aiohttp.ClientSession
) -> None:
    seen = Seen()
    is_over = asyncio.Event()

    async def client() -> None:
        while not is_over.is_set():
            await ask(http, "free", seen)

    clients = [asyncio.create_task(client()) for _ in range(CLIENTS)]
    lot = random.Random(6)
    try:
        for _ in range(2):
            goal = seen.answered + 300
            async with asyncio.timeout(60):
                while seen.answered < goal:
                    await asyncio.sleep(0.01)
            victims = await asyncio.to_thread(three.processes, REPLICA)
            lot.choice(victims).kill()
        goal = seen.answered + 300
        async with asyncio.timeout(90):
            while seen.answered < goal:
                await asyncio.sleep(0.01)
    finally:
        is_over.set()
        await asyncio.gather(*clients)
    broken = seen.broken + sum(seen.others.values())
    assert set(seen.others) <= {500, 502, 503}
    figures = await settled(http)
    total = figures["total"]
    # A request may have been settled by a replica that died before its answer was out.
    assert seen.answered <= total["requests"] <= seen.answered + broken
    [day] = figures["budgets"]
    assert day["held_usd"] == "0.000000"
    assert day["spent_usd"] == total["cost_usd"]
    tokens = total["prompt_tokens"] + total["completion_tokens"]
    assert tokens * seen.answered == seen.tokens * total["requests"], "each used the same"


async def settled(http: aiohttp.ClientSession) -> dict[str, Any]:
    """The figures once nothing is held any more."""
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                figures = await usage(http, "free")
                if micro(figures["budgets"][0]["held_usd"]) == 0:
                    return figures
            await asyncio.sleep(0.2)
