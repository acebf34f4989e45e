"""What a request leaves behind is freed at once: no cycle keeps its buffers for the collector.

The collector runs rarely (deployments/interpreter.py) and counts objects, not bytes: a few
hundred large answers in cycles would be gigabytes before it looked.
"""

from __future__ import annotations

import asyncio
import gc
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from houses import Flow, Open, policy
from provider.fixtures import ScriptedProvider

OURS = {"Exchange", "Trail", "Passage", "Committed", "Attempt", "Errand", "Reply", "Chunk"}
"""Kinds that hold, or lead to, what a request carried."""

ROUTES = {"both": {"models": ["p/ok", "p/second"]}}


@contextmanager
def collected() -> Iterator[Counter[str]]:
    """Kinds of objects that only the collector could free, filled in at the end."""
    found: Counter[str] = Counter()
    gc.collect()
    gc.disable()
    try:
        yield found
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        found.update(type(item).__name__ for item in gc.garbage)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


class Caller:
    """An ASGI server's side of one request: takes so many messages, then no more."""

    def __init__(self, flow: Flow, patience: int = 1 << 30, **body: Any) -> None:
        messages = [{"role": "user", "content": "much"}]
        self._body = json.dumps({"model": "ok", "messages": messages, **body}).encode()
        self._app = flow.house.app
        self._patience = patience
        self._asked = False
        self.stuck = asyncio.Event()

    async def run(self) -> None:
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/v1/chat/completions",
            "headers": [(b"content-type", b"application/json")],
            "client": ("127.0.0.1", 1),
        }
        await self._app(scope, self._receive, self._send)

    async def _receive(self) -> dict[str, Any]:
        if self._asked:
            await asyncio.Event().wait()
        self._asked = True
        return {"type": "http.request", "body": self._body, "more_body": False}

    async def _send(self, message: dict[str, Any]) -> None:
        self._patience -= 1
        if self._patience < 0:
            self.stuck.set()
            await asyncio.Event().wait()


async def quiet(flow: Flow, provider: ScriptedProvider) -> None:
    """Until what runs beside requests has let go of them."""
    async with asyncio.timeout(20):
        while (await asyncio.to_thread(provider.open))[1]:
            await asyncio.sleep(0.01)
        async with flow.http.get("/metrics"):  # hands the ends of requests over
            pass


Harm = Callable[[Flow], Any]


async def leave(flow: Flow, patience: int) -> None:
    caller = Caller(flow, patience, stream=True)
    task = asyncio.create_task(caller.run())
    await asyncio.wait_for(caller.stuck.wait(), 20)
    task.cancel()
    await asyncio.wait([task])


@pytest.mark.parametrize("patience", [0, 5], ids=["at the head", "in the answer"])
async def test_a_caller_that_leaves(
    open_flow: Open, provider: ScriptedProvider, patience: int
) -> None:
    provider.script("ok", "flood")
    async with open_flow() as flow:
        await leave(flow, patience)
        await quiet(flow, provider)
        with collected() as found:
            for _ in range(5):
                await leave(flow, patience)
            await quiet(flow, provider)
    assert not OURS & found.keys(), found


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("model", ["status-503", "cut-after-3", "no-done", "bad-request"])
async def test_a_request_whose_backends_fail(
    open_flow: Open, provider: ScriptedProvider, model: str, stream: bool
) -> None:
    provider.script("ok", model)
    async with open_flow(rules=policy(routing={"routes": ROUTES})) as flow:
        await Caller(flow, model="both", stream=stream).run()
        await quiet(flow, provider)
        with collected() as found:
            for _ in range(5):
                await Caller(flow, model="both", stream=stream, seed=None).run()
            await quiet(flow, provider)
    assert not OURS & found.keys(), found
