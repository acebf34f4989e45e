"""Who asked to be told of a task's end is told: signed, to a checked address, again if need be."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from later import Later, policy, until
from provider.fixtures import ScriptedProvider

SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes....").decode()
ENVIRON = {"HOOK_SECRET": SECRET}


class Receiver:
    """Somebody's server: answers with the statuses it is given, the last one stays."""

    def __init__(self) -> None:
        self.statuses = [200]
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        self.got.append(({k.lower(): v for k, v in request.headers.items()}, await request.read()))
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        return web.Response(status=status, headers={"location": self.url + "/elsewhere"})


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made, app = Receiver(), web.Application()
    app.router.add_post("/{rest:.*}", made.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    made.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[attr-defined]
    try:
        yield made
    finally:
        await runner.cleanup()


@asynccontextmanager
async def telling(open_later: Callable[..., Any], **hooks: Any) -> AsyncIterator[Later]:
    own = {"secret_env": ["HOOK_SECRET"], "allow_http_loopback": True, **hooks}
    rules = policy(tasks={"webhooks": own, "backoff_s": 0.02})
    async with open_later(rules=rules, environ=ENVIRON) as later:
        yield later


async def test_the_end_is_told_signed(open_later: Callable[..., Any], receiver: Receiver) -> None:
    async with telling(open_later) as later:
        task_id = await later.submitted(webhook=receiver.url + "/told")
        found = await later.ended(task_id)
        await until(lambda: receiver.got)
    headers, body = receiver.got[0]
    message = json.loads(body)
    assert message["type"] == "task.succeeded"
    assert message["data"] == found
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    mark = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    assert headers["webhook-signature"] == f"v1,{mark}"
    assert headers["host"] == receiver.url.removeprefix("http://")


async def test_a_failure_is_told_too(
    open_later: Callable[..., Any], receiver: Receiver, provider: ScriptedProvider
) -> None:
    provider.script("ok", "status-500")
    async with telling(open_later) as later:
        await later.submitted(webhook=receiver.url, max_retries=0)
        await until(lambda: receiver.got)
    message = json.loads(receiver.got[0][1])
    assert message["type"] == "task.dead"
    assert message["data"]["error"]["code"] == "all_backends_failed"


async def test_it_is_told_again_until_it_is_taken(
    open_later: Callable[..., Any], receiver: Receiver
) -> None:
    receiver.statuses = [500, 302, 204]
    async with telling(open_later) as later:
        await later.submitted(webhook=receiver.url)
        await until(lambda: len(receiver.got) == 3)
        await until(lambda: idle(later))
    assert len(receiver.got) == 3
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    assert len({body for _, body in receiver.got}) == 1


async def test_who_is_gone_is_told_no_more(
    open_later: Callable[..., Any], receiver: Receiver
) -> None:
    receiver.statuses = [410]
    async with telling(open_later) as later:
        await later.submitted(webhook=receiver.url)
        await until(lambda: receiver.got)
        await until(lambda: idle(later))
        await asyncio.sleep(0.1)
    assert len(receiver.got) == 1


async def idle(later: Later) -> bool:
    backlog = await later.house.queue.backlog()
    return not (
        backlog.waiting
        or backlog.running
        or any(count.delayed for count in backlog.by_priority.values())
    )


@pytest.mark.parametrize(
    "url", ["https://169.254.169.254/", "ftp://example.com/", "https://10.0.0.1/"]
)
async def test_our_own_network_is_told_nothing(open_later: Callable[..., Any], url: str) -> None:
    async with telling(open_later) as later:
        status, answer = await later.submit(message="m", webhook=url)
    assert (status, answer["error"]["code"]) == (400, "webhook_refused")
