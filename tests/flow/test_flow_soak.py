"""Fifty streams at once over connections of which a third breaks: nothing is cut in silence, and
nothing is left behind.

SERVE_APP_SOAK_REQUESTS sets how many requests are made.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from faults.plays import Got, ask
from houses import Flow, Open, arguments, policy
from provider.answers import tale
from provider.fixtures import ScriptedProvider

REQUESTS = int(os.environ.get("SERVE_APP_SOAK_REQUESTS", "5000"))
WARM_UP = 500
AT_ONCE = 50

NAMES = ("one", "two", "three")

pytestmark = pytest.mark.timeout(300)


def structure(base_url: str) -> dict[str, Any]:
    """Three backends with a model each, all of which go on from a begun answer."""
    [backend] = arguments(base_url)["backends"]
    backends = [
        {
            **backend, "name": name, "quirks": {"prefix": "partial"},
            "models": [{"id": f"model-{name}", "context": 8000, "capabilities": ["prefix"]}],
        }
        for name in NAMES
    ]  # fmt: skip
    return {"backends": backends}


def rules() -> Any:
    models = [f"{name}/model-{name}" for name in NAMES]
    return policy(routing={"default": models, "routes": {"shaky": {"models": models}}}, prices={})


class Footprint:
    """What this process holds at a moment when it has nothing to do."""

    def __init__(self) -> None:
        gc.collect()
        self.objects = len(gc.get_objects())
        self.rss_mib = psutil.Process().memory_info().rss / (1 << 20)
        self.tasks = len(asyncio.all_tasks())


class Callers:
    """So many callers at once, each asking one question after the other."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._asked = 0
        self.ends: Counter[str] = Counter()

    async def ask(self, count: int) -> None:
        numbers = iter(range(self._asked, self._asked + count))
        self._asked += count
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(self._caller(numbers))

    async def _caller(self, numbers: Iterator[int]) -> None:
        for number in numbers:
            question = f"soak {number}"
            got = await ask(self._flow.http, "shaky", question, stream=True)
            self.ends[self._end(got, tale(question))] += 1

    def _end(self, got: Got, whole: str) -> str:
        if got.is_done and not got.error:
            return "whole" if got.text == whole else f"cut in silence: {got.text!r}"
        if not got.error:
            return f"no answer and no error: {got}"
        right = whole.startswith(got.text)
        return f"error {got.status}" if right else f"wrong before its error: {got.text!r}"


async def at_rest(flow: Flow, provider: ScriptedProvider, tasks: int) -> None:
    """Until no call runs upstream and no task more than `tasks` is left."""
    async with asyncio.timeout(20):
        while len(asyncio.all_tasks()) > tasks or (await asyncio.to_thread(provider.open))[1]:
            await asyncio.sleep(0.05)


async def test_nothing_is_cut_in_silence_and_nothing_is_left_behind(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    logging.disable(logging.CRITICAL)  # pytest keeps every record: that would be the leak
    try:
        async with open_flow(structure(provider.base_url), rules()) as flow:
            await _soak(flow, provider)
    finally:
        logging.disable(logging.NOTSET)


async def _soak(flow: Flow, provider: ScriptedProvider) -> None:
    _set(provider, "tale+partial+flaky-33")
    callers = Callers(flow)
    await callers.ask(1)  # by now the server is wholly up
    tasks = len(asyncio.all_tasks())
    await callers.ask(WARM_UP)
    await at_rest(flow, provider, tasks)
    before = Footprint()
    await callers.ask(REQUESTS - WARM_UP - 1)
    await at_rest(flow, provider, tasks)
    after = Footprint()

    print(f"ends: {dict(callers.ends)}")
    print(f"objects +{after.objects - before.objects}, MiB +{after.rss_mib - before.rss_mib:.1f}")
    assert set(callers.ends) <= {"whole", "error 200", "error 502", "error 503"}
    assert callers.ends["whole"] > 0.8 * REQUESTS  # some break off more often than is mended
    assert after.tasks <= before.tasks
    assert after.objects - before.objects < 5_000
    assert after.rss_mib - before.rss_mib < 40
    connections, _ = await asyncio.to_thread(provider.open)
    assert connections <= len(NAMES) * AT_ONCE

    _set(provider, "tale+partial")
    await _every_breaker_closes(flow)


def _set(provider: ScriptedProvider, behaviour: str) -> None:
    for name in NAMES:
        provider.script(f"model-{name}", behaviour)


async def _every_breaker_closes(flow: Flow) -> None:
    """Now that all are well, a request for each finds it out; and no call is under way."""
    for name in NAMES:
        question = f"are you well, {name}?"
        got = await ask(flow.http, f"{name}/model-{name}", question, stream=True)
        assert (got.text, got.is_done) == (tale(question), True), got
    async with flow.http.get("/metrics") as answer:
        lines = (await answer.text()).split("\n")
    about_models = [line for line in lines if 'model="model-' in line]
    for gauge in ('state="open"', 'state="away"', "serve_app_backend_calls"):
        values = [line.split()[-1] for line in about_models if gauge in line]
        assert values == ["0.0"] * len(NAMES), (gauge, values)
