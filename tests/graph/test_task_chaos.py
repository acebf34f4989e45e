"""Tasks while everything dies: each one that was taken in has one result, and is paid for once.

Workers, ingress replicas and Valkey are killed at random while tasks come in and are done; with
CHAOS_HEAD=1 in the environment all of Ray is, too, once, in the middle of it.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from instances import Instance
from provider.fixtures import ScriptedProvider

from serve_app.cli.life.http import Unreachable, ask

pytestmark = [pytest.mark.graph, pytest.mark.timeout(600)]

TASKS = int(os.environ.get("CHAOS_TASKS", "500"))
WITH_HEAD = os.environ.get("CHAOS_HEAD") == "1"
CALLERS = 8
PAUSE_S = 0.35
"""Between two submissions of one of them: all of them take half a minute."""
MODELS = ("ok-slow-50ms", "ok-slow-500ms")
"""In turns: the slow one, so that whoever is killed was at work."""
LEASE_S = 3.0
MAX_BACKOFF_S = 2.0
LATE_S = 60.0
"""After the last kill everything is done within this, on a machine that is busy with much else."""
QUIET_S = 1.0
"""About so long between two kills."""
KINDS = ("Workers", "Gateway", "Workers", "valkey")
_SERVE = "/api/serve/applications/"


def config(provider: ScriptedProvider) -> dict[str, Any]:
    timeouts = {"connect_s": 5, "first_token_s": 30, "idle_s": 30, "total_s": 60}
    models = [{"id": model, "context": 8000} for model in MODELS]
    backend = {"name": "p", "base_url": provider.base_url, "models": models, "timeouts": timeouts}
    policy = {
        "routing": {"default": [f"p/{MODELS[0]}"]},
        "cache": {"enabled": False},
        "tasks": {"backoff_s": 0.2, "max_backoff_s": MAX_BACKOFF_S},
        "admission": {"require_key": False},
    }
    wanted = {"policy_function": "serve_app.deployments.staffing:workers_wanted"}
    scale = {"min_replicas": 3, "max_replicas": 3, "policy": wanted}
    common = {"ray_actor_options": {"num_cpus": 0.1}, "user_config": policy}
    app = {
        "name": "gateway",
        "route_prefix": "/",
        "import_path": "serve_app.graph:build_gateway",
        "args": {
            "profile": "chaos",
            "redis": {"url": "embedded", "timeout_ms": 500},
            "placement": {"workers": "deployed"},
            "tasks": {"lease_s": LEASE_S, "concurrency": 4},
            "backends": [backend],
        },
        "deployments": [
            {"name": "Gateway", "num_replicas": 3, **common},
            {"name": "Workers", "autoscaling_config": scale, **common},
        ],
    }
    return {"http_options": {"host": "127.0.0.1"}, "applications": [app]}


@pytest.fixture
def instance(provider: ScriptedProvider) -> Iterator[Instance]:
    folder = Path(tempfile.mkdtemp(prefix="sa-x-"))
    path = folder / "chaos.yaml"
    path.write_text(yaml.safe_dump(config(provider)), encoding="utf-8")
    made = Instance(folder, str(path), [], {})
    made.up()
    try:
        yield made
    finally:
        made.run("down")
        made.remove()


class Callers:
    """They submit tasks, each under a name of its own, until each is taken in."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._left = iter(range(TASKS))
        self.taken: dict[int, str] = {}
        self.refusals: Counter[str] = Counter()

    async def run(self) -> None:
        timeout = aiohttp.ClientTimeout(total=20)
        async with aiohttp.ClientSession(self._url, timeout=timeout) as http:
            await asyncio.gather(*(self._submit_all(http) for _ in range(CALLERS)))

    async def _submit_all(self, http: aiohttp.ClientSession) -> None:
        for number in self._left:
            while (task_id := await self._submit(http, number)) is None:
                await asyncio.sleep(0.2)
            self.taken[number] = task_id
            await asyncio.sleep(PAUSE_S)

    async def _submit(self, http: aiohttp.ClientSession, number: int) -> str | None:
        body = {"message": text_of(number), "model": MODELS[number % 2]}
        headers = {"idempotency-key": f"chaos-{number}"}
        try:
            async with http.post("/agent/async", json=body, headers=headers) as answer:
                if answer.status == 202:
                    return str((await answer.json())["task_id"])
                self.refusals[f"status {answer.status}"] += 1
        except (aiohttp.ClientError, TimeoutError) as error:
            self.refusals[type(error).__name__] += 1
        return None


def text_of(number: int) -> str:
    return f"task number {number}"


class Killer:
    """Kills one process after another, never asking first."""

    def __init__(self, instance: Instance, rng: random.Random) -> None:
        self._instance = instance
        self._rng = rng
        self.kills: Counter[str] = Counter()
        self.last_at = 0.0

    async def run(self, callers: Callers) -> None:
        """As long as tasks come in."""
        while len(callers.taken) < TASKS:
            for kind in self._rng.sample(KINDS, len(KINDS)):
                await asyncio.sleep(QUIET_S * (0.5 + self._rng.random()))
                await self._kill(kind)
            if WITH_HEAD and not self.kills["ray"] and len(callers.taken) > TASKS * 0.4:
                await self._kill_ray()

    async def _kill(self, kind: str) -> None:
        found = await asyncio.to_thread(self._living, kind)
        if found and kill(self._rng.choice(found)):
            self.kills[kind] += 1
            self.last_at = time.time()

    def _living(self, kind: str) -> list[int]:
        """Who may be killed: of replicas any, as long as another one works."""
        if kind == "valkey":
            found = self._instance.processes("valkey-server")
            return [p.pid for p in found if time.time() - p.create_time() > 2 * QUIET_S]
        state = json.loads((self._instance.folder / "data" / "state.json").read_text())
        token = (self._instance.folder / "data" / "ray-token").read_text()
        try:
            details = ask(
                "GET",
                f"http://127.0.0.1:{state['ports']['dashboard']}",
                _SERVE,
                headers={"Authorization": f"Bearer {token}"},
                timeout_s=20,
            ).json()
        except Unreachable:
            return []
        replicas = details["applications"]["gateway"]["deployments"][kind]["replicas"]
        running = [replica["pid"] for replica in replicas if replica["state"] == "RUNNING"]
        return running if len(running) > 1 else []

    async def _kill_ray(self) -> None:
        """All of it at once; then somebody starts the gateway again."""
        for name in ("gcs_server", "raylet"):
            for process in await asyncio.to_thread(self._instance.processes, name):
                kill(process.pid)
        self.kills["ray"] += 1
        await asyncio.to_thread(self._up_again)
        self.last_at = time.time()

    def _up_again(self) -> None:
        state = self._instance.folder / "data" / "state.json"
        end = time.monotonic() + 120
        while state.exists() and time.monotonic() < end:  # the supervisor takes the rest down
            time.sleep(0.2)
        self._instance.up()


def kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


async def ends_of(url: str, taken: dict[int, str]) -> dict[int, Any]:
    """Every task when it has ended."""
    timeout, ends = aiohttp.ClientTimeout(total=60), {}
    async with aiohttp.ClientSession(url, timeout=timeout) as http:
        async with asyncio.timeout(LATE_S * 2):
            for number, task_id in taken.items():
                while number not in ends:
                    if (found := await result(http, task_id)) is not None:
                        ends[number] = found
    return ends


async def result(http: aiohttp.ClientSession, task_id: str) -> Any:
    """What came of a task; None: not yet, or nobody could say."""
    try:
        async with http.get(f"/agent/result/{task_id}", params={"wait_s": "5"}) as answer:
            found = await answer.json()
            if answer.status == 200 and "ended_at" in found:
                return found
            assert answer.status in (200, 500, 502, 503), found
    except (aiohttp.ClientError, json.JSONDecodeError, TimeoutError):
        pass
    await asyncio.sleep(0.1)
    return None


async def usage_of(url: str) -> dict[str, Any]:
    async with (
        aiohttp.ClientSession(url) as http,
        http.get("/v1/usage", params={"tenant": "default"}) as answer,
    ):
        found: dict[str, Any] = await answer.json()
        assert answer.status == 200, found
        return found["total"]  # type: ignore[no-any-return]


async def test_every_task_has_one_result_whatever_dies(
    instance: Instance, provider: ScriptedProvider
) -> None:
    seed = random.SystemRandom().randrange(2**32)
    callers, killer = Callers(instance.url), Killer(instance, random.Random(seed))
    killing = asyncio.create_task(killer.run(callers))
    await asyncio.gather(callers.run(), killing)
    assert len(set(callers.taken.values())) == len(callers.taken) == TASKS
    ends = await ends_of(instance.url, callers.taken)
    attempts = Counter(end["attempts"] for end in ends.values())
    late_s = max(end["ended_at"] for end in ends.values()) - killer.last_at
    total = await usage_of(instance.url)
    calls = sum(len(provider.log(model)) for model in MODELS)
    print(
        f"\nseed {seed}: {len(ends)} tasks of {TASKS}, tries {dict(attempts)}, kills "
        f"{dict(killer.kills)}, calls of the model {calls}, charged requests {total['requests']}; "
        f"the last one ended {late_s:.1f} s after the last kill; submissions repeated "
        f"{dict(callers.refusals)}"
    )
    wrong = {n: end for n, end in ends.items() if end["status"] != "succeeded"}
    assert not wrong, (seed, wrong, instance.logs())
    for number, end in ends.items():
        assert end["result"]["message"] == f"You said: {text_of(number)}"
    assert total["requests"] == TASKS, seed
    used = [end["result"]["usage"] for end in ends.values()]
    assert total["completion_tokens"] == sum(usage["completion_tokens"] for usage in used), seed
    assert calls >= TASKS
    assert late_s < LATE_S, seed
