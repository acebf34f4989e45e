"""Turns at a local model, seen from outside: fair, people first, and refusals that come at once."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from statistics import median
from typing import Any

import aiohttp
import pytest
from houses import Open, policy
from provider.slow_model import SlowModel

CHAT = "/v1/chat/completions"


class Door:
    """A house with one local model, and as many connections to it as it takes."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http

    async def ask(self, text: str, tenant: str = "a", priority: str = "") -> tuple[int, Any, Any]:
        """Status, headers and JSON."""
        headers = {"Authorization": f"Bearer sk-{tenant}"}
        if priority:
            headers["x-serve-app-priority"] = priority
        body = {"model": "small", "messages": [{"role": "user", "content": text}]}
        async with self._http.post(CHAT, json=body, headers=headers) as answer:
            return answer.status, answer.headers, await answer.json()

    def crowd(
        self, name: str, count: int, tenant: str = "a", priority: str = ""
    ) -> list[asyncio.Task[tuple[int, Any, Any]]]:
        texts = [f"{name} {number}" for number in range(count)]
        return [asyncio.create_task(self.ask(text, tenant, priority)) for text in texts]

    async def metric(self, name: str, **labels: str) -> int:
        async with self._http.get("/metrics") as answer:
            lines = (await answer.text()).splitlines()
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        found = (line for line in lines if line.startswith(f"serve_app_{name}{{"))
        return sum(
            int(float(line.rsplit(" ", 1)[1]))
            for line in found
            if all(label in line for label in wanted)
        )

    async def until(self, count: int, name: str, **labels: str) -> None:
        """Wait for a metric to have this value."""
        async with asyncio.timeout(30):
            while await self.metric(name, **labels) != count:
                await asyncio.sleep(0.01)


Opens = Any


@pytest.fixture
def open_door(open_flow: Open) -> Opens:
    """`open_door(model, max_running=2, ...)`, an async context manager."""

    @asynccontextmanager
    async def opened(model: SlowModel, **settings: Any) -> AsyncIterator[Door]:
        house = {
            "name": "house",
            "kind": "local",
            "app": "m",
            "tokenizer": "embedded",
            "models": [{"id": "small", "context": 2048}],
            **settings,
        }
        names = {"cheap": ["house/small"], "default": ["house/small"], "strong": ["house/small"]}
        keys = [
            {"sha256": hashlib.sha256(f"sk-{name}".encode()).hexdigest(), "tenant": name}
            for name in ("a", "b")
        ]
        admission = {"require_key": True, "user_rpm": 0, "key_rpm": 0, "keys": keys}
        rules = policy(routing=names, admission=admission)
        opening = open_flow({"backends": [house]}, rules, transports={"house": model})
        async with (
            opening as flow,
            aiohttp.ClientSession(
                f"http://127.0.0.1:{flow.port}", connector=aiohttp.TCPConnector(limit=0)
            ) as http,
        ):
            yield Door(http)

    return opened


async def test_a_flood_of_one_tenant_does_not_delay_another(open_door: Opens) -> None:
    model = SlowModel()
    async with open_door(model, max_running=2, max_wait_s=120) as door:
        flood = door.crowd("flood", 200)
        await door.until(198, "turns_waiting", priority="interactive")
        model.takes_s = 0.03
        model.go_on.set()
        before_it = []
        for number in range(11):
            so_far = len(model.asked)
            status, _, _ = await door.ask(f"quiet {number}", "b")
            assert status == 200
            before_it.append(model.asked.index(f"quiet {number}") - so_far)
        assert model.most_running == 2
        # One turn of the other tenant at most, and what passes while a request is on its way;
        # first come, first served would have been more than 100.
        assert median(before_it) <= 5
        assert {status for status, _, _ in await asyncio.gather(*flood)} == {200}
        assert await door.metric("turns_waiting") == await door.metric("turns_running") == 0


async def test_people_come_before_programs(open_door: Opens) -> None:
    model = SlowModel()
    async with open_door(model, max_running=1, max_wait_s=60) as door:
        tasks = door.crowd("first", 1)
        await door.until(1, "turns_running", backend="house")
        tasks += door.crowd("program", 5, priority="batch")
        await door.until(5, "turns_waiting", backend="house", priority="batch")
        tasks += door.crowd("person", 3, priority="Interactive")
        await door.until(3, "turns_waiting", backend="house", priority="interactive")
        model.go_on.set()
        assert {status for status, _, _ in await asyncio.gather(*tasks)} == {200}
    kinds = [text.split()[0] for text in model.asked]
    assert kinds == ["first"] + ["person"] * 3 + ["program"] * 5


async def test_what_has_no_place_is_refused_while_the_others_wait(open_door: Opens) -> None:
    """Nothing moves at the model, and still the refusals come."""
    model = SlowModel()
    async with open_door(model, max_running=2, max_waiting=10, max_wait_s=60) as door:
        tasks = door.crowd("one", 30)
        refused = []
        for task in asyncio.as_completed(tasks, timeout=30):
            refused.append(await task)
            if len(refused) == 18:
                break
        assert await door.metric("turns_refused_total", reason="full") == 18
        assert await door.metric("turns_waiting") == 10
        for status, headers, body in refused:
            assert (status, body["error"]["code"]) == (503, "local_model_busy")
            assert re.fullmatch(r"[1-9]\d?", headers["Retry-After"])
        assert await door.metric("backend_state", backend="house") == 0  # it is not at fault
        model.go_on.set()
        statuses = [status for status, _, _ in await asyncio.gather(*tasks)]
    assert (statuses.count(200), statuses.count(503)) == (12, 18)


async def test_who_waited_too_long_is_told_when_to_come_back(open_door: Opens) -> None:
    model = SlowModel()
    async with open_door(model, max_running=1, max_wait_s=0.1) as door:
        [first] = door.crowd("first", 1)
        await door.until(1, "turns_running")
        status, headers, body = await door.ask("second")
        assert (status, body["error"]["code"]) == (503, "local_model_busy")
        assert headers["Retry-After"] == "1"
        assert await door.metric("turns_refused_total", reason="late") == 1
        model.go_on.set()
        assert (await first)[0] == 200


@pytest.mark.parametrize("value", ["urgent", "0", "batch, interactive", "\xff"])
async def test_a_priority_that_there_is_not_is_refused_by_name(
    open_door: Opens, value: str
) -> None:
    model = SlowModel(takes_s=0)
    async with open_door(model) as door:
        status, _, body = await door.ask("hi", priority=value)
    assert status == 400
    assert body["error"]["param"] == "x-serve-app-priority"
    assert "interactive, batch" in body["error"]["message"]
    assert model.asked == []


async def test_a_person_does_not_share_the_flight_of_a_program(open_door: Opens) -> None:
    """Who asks what a program waits for has a turn of its own, before it."""
    model = SlowModel()
    async with open_door(model, max_running=1, max_wait_s=60) as door:
        tasks = door.crowd("first", 1)
        await door.until(1, "turns_running")
        tasks += door.crowd("same", 1, priority="batch")
        await door.until(1, "turns_waiting", priority="batch")
        tasks += door.crowd("same", 1)
        await door.until(1, "turns_waiting", priority="interactive")
        model.go_on.set()
        assert {status for status, _, _ in await asyncio.gather(*tasks)} == {200}
