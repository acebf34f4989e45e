"""Callers that misbehave, through HAProxy: a clear 4xx or a closed line, and others unharmed."""

from __future__ import annotations

import asyncio
import itertools
import json

import aiohttp
import psutil
import pytest
from instances import Instance
from provider.fixtures import ScriptedProvider

pytestmark = [pytest.mark.graph, pytest.mark.timeout(700)]

_numbers = itertools.count()


async def talk(port: int, *pieces: bytes, limit_s: float = 30) -> bytes:
    """What comes back until the head is complete or the line is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = b""
    try:
        async with asyncio.timeout(limit_s):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            while b"\r\n\r\n" not in answer and (read := await reader.read(65536)):
                answer += read
    except ConnectionError:
        pass
    finally:
        writer.close()
    return answer


def head(length: int, extra: bytes = b"") -> bytes:
    return (
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n%b\r\n" % (length, extra)
    )


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0


async def works(gateway: Instance) -> bool:
    text = f"still there {next(_numbers)}"
    body = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": text}]}
    async with (
        aiohttp.ClientSession(gateway.url) as http,
        http.post("/v1/chat/completions", json=body) as answer,
    ):
        return answer.status == 200


NO_REQUESTS = [
    b"",
    b"{",
    b"[]",
    b'{"model": 7}',
    b'{"model": "auto", "messages": {}}',
    b"\xff\xfe",
    b'"' * 99,
    b"[" * 100_000,
]


@pytest.mark.parametrize("body", NO_REQUESTS, ids=range(len(NO_REQUESTS)))
async def test_malformed_bodies_are_400(gateway: Instance, body: bytes) -> None:
    answer = await talk(gateway.port, head(len(body)), body)
    assert status(answer) == 400
    assert b"Traceback" not in answer


async def test_a_50_mb_body_is_refused(gateway: Instance) -> None:
    size = 50 << 20
    answer = await talk(gateway.port, head(size), *(b"x" * (1 << 20) for _ in range(50)))
    assert status(answer) in (413, 0)
    assert await works(gateway)


async def test_a_header_flood_is_refused(gateway: Instance) -> None:
    flood = b"".join(b"x-h-%d: %b\r\n" % (n, b"v" * 100) for n in range(2000))
    assert status(await talk(gateway.port, head(2, flood), b"{}")) in (400, 431, 0)
    assert await works(gateway)


async def test_headers_that_are_no_text_harm_nobody(gateway: Instance) -> None:
    body = json.dumps(
        {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "hi"}]}
    ).encode()
    odd = b"x-request-id: \xff\xfe\r\nx-session-id: \xff\r\nserve_multiplexed_model_id: \xff\r\n"
    assert status(await talk(gateway.port, head(len(body), odd), body)) in (200, 400)
    assert await works(gateway)


async def test_orders_to_serve_are_not_taken_from_callers(
    gateway: Instance, provider: ScriptedProvider
) -> None:
    provider.script("gpt-5-mini", "slow-500ms")
    text = f"no hurry {next(_numbers)}"
    body = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": text}]}
    headers = {"x-request-timeout-seconds": "0.05"}
    async with (
        aiohttp.ClientSession(gateway.url) as http,
        http.post("/v1/chat/completions", json=body, headers=headers) as answer,
    ):
        assert answer.status == 200


async def storm(gateway: Instance) -> list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A hundred callers that stall, some in their request and some in the answer."""
    asked = json.dumps(
        {
            "model": "gpt-5-nano",
            "stream": True,
            "messages": [{"role": "user", "content": "much"}],
        }
    ).encode()
    lines = []
    for n in range(100):
        line = await asyncio.open_connection("127.0.0.1", gateway.port, limit=1024)
        lines.append(line)
        flooding = n % 10 == 0
        line[1].write(head(len(asked)) + asked if flooding else head(500) + b'{"model"')
    return lines


async def settled(process: psutil.Process) -> int:
    """Resident bytes, once they stay as they are."""
    async with asyncio.timeout(60):
        before, now = 0, process.memory_info().rss
        while abs(now - before) > 1 << 20:
            await asyncio.sleep(1)
            before, now = now, process.memory_info().rss
    return now


async def test_half_requests_and_readers_of_nothing_do_not_add_up(
    gateway: Instance, provider: ScriptedProvider
) -> None:
    """One storm after the other: soon a further one takes no more memory than those before it.

    How much the first takes is up to the buffers of every hop: gRPC alone lets some 20 MB of a
    stream wait between two deployments. Storms that left something behind would never stop.
    """
    provider.script("gpt-5-nano", "flood")
    [replica] = gateway.processes("ServeReplica:gateway:Gateway")
    peak, grown = await settled(replica), []
    for _ in range(6):
        lines = await storm(gateway)
        try:
            assert await works(gateway)
            now = await settled(replica)
        finally:
            for _, writer in lines:
                writer.close()
        grown.append(now - peak)
        peak = max(peak, now)
        if grown[-1] < 64 << 20:
            break
    assert grown[-1] < 64 << 20, grown
    assert sum(grown) < 640 << 20, grown
    assert psutil.pid_exists(replica.pid)
    assert await works(gateway)
