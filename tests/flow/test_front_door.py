"""The front door against callers that misbehave: a clear answer or a closed line."""

from __future__ import annotations

import asyncio
import json

import pytest
from houses import Flow, Open, policy
from provider.fixtures import ScriptedProvider


async def raw(port: int, data: bytes, limit_s: float = 10) -> bytes:
    """What the server says to these bytes until it closes or says nothing more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    answer = b""
    try:
        async with asyncio.timeout(limit_s):
            while b"\r\n\r\n" not in answer and (piece := await reader.read(65536)):
                answer += piece
    finally:
        writer.close()
    return answer


def request(body: bytes, length: int | None = None) -> bytes:
    return (
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n" % (len(body) if length is None else length)
    ) + body


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[1]", b'{"model": 3}', b'{"model": "ok", "messages": [{}]}', b"\xff\xfe{}",
     b'{"a":' * 50_000],
)  # fmt: skip
async def test_what_is_no_request_is_a_400(flow: Flow, body: bytes) -> None:
    assert b" 400 " in (await raw(flow.port, request(body))).split(b"\r\n")[0]


async def test_a_body_over_the_limit_is_refused_before_it_is_read(open_flow: Open) -> None:
    async with open_flow({"server": {"max_body_bytes": 1000}}) as flow:
        answer = await raw(flow.port, request(b"{}", length=50 << 20))
        assert b" 413 " in answer.split(b"\r\n")[0]
        chunked = (
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
             b"400\r\n" + b"x" * 1024 + b"\r\n" + b"400\r\n" + b"x" * 1024 + b"\r\n"
        )  # fmt: skip
        assert b" 413 " in (await raw(flow.port, chunked)).split(b"\r\n")[0]


async def test_half_a_request_is_not_waited_for_for_ever(open_flow: Open) -> None:
    async with open_flow({"server": {"body_timeout_s": 0.2}}) as flow:
        answer = await raw(flow.port, request(b'{"model": "ok"', length=500))
        assert b" 408 " in answer.split(b"\r\n")[0]
        assert (await flow.chat())[0] == 200


async def test_a_caller_that_takes_nothing_is_dropped(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    async with open_flow({"server": {"write_timeout_s": 0.5}}) as flow:
        provider.script("ok", "flood")
        body = json.dumps(
            {"model": "ok", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
        ).encode()
        reader, writer = await asyncio.open_connection("127.0.0.1", flow.port, limit=1024)
        writer.write(request(body))
        assert await asyncio.to_thread(provider.wait, "ok", "aborted", 1, 30)
        writer.close()
        del reader


async def test_too_many_at_once_are_told_to_come_back(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    async with open_flow({"server": {"max_requests": 2}}) as flow:
        provider.script("ok", "slow-500ms")
        answers = await asyncio.gather(*(flow.chat(f"n{n}") for n in range(6)))
    statuses = [status for status, _, _ in answers]
    assert statuses.count(200) == 2
    assert statuses.count(503) == 4
    assert all("retry-after" in headers for status, headers, _ in answers if status == 503)


async def test_draining_refuses_new_work_and_ends_what_takes_too_long(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    async with open_flow({"server": {"drain_s": 0.5}}) as flow:
        provider.script("ok", "drip-20ms")
        running = asyncio.create_task(flow.chat("word " * 400, stream=True))
        assert await asyncio.to_thread(provider.wait, "ok", "seen")
        flow.house.apply(policy(draining=True))
        status, headers, body = await flow.chat(model="second")
        assert (status, body["error"]["code"]) == (503, "draining")
        assert "retry-after" in headers
        async with flow.http.get("/health/readiness") as answer:
            assert (answer.status, (await answer.json())["status"]) == (503, "draining")
        async with flow.http.get("/health/liveness") as answer:
            assert answer.status == 200
        _, _, events = await asyncio.wait_for(running, 20)
        assert json.loads(events[-1])["error"]["code"] == "draining"
        assert "[DONE]" not in events
