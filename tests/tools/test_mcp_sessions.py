"""Sessions with a real MCP server over HTTP: what it lists, says, and does wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from tools.mcp_world import McpWorld

from serve_app.tools.base import ToolContext, ToolOutcome
from serve_app.tools.listings import ServerAway
from serve_app.tools.mcp.connection import Connection
from serve_app.tools.mcp.pools import Pools
from serve_app.tools.servers import Endpoint

CONTEXT = ToolContext(timeout_s=20.0, max_chars=1000)
LIMIT_S = 20.0
FAILED = "Error executing tool fail: closed"


@pytest.fixture
async def pools() -> AsyncIterator[Pools]:
    made = Pools()
    try:
        yield made
    finally:
        await made.close()


def session(pools: Pools, url: str, listed: str = "tests", **headers: str) -> Connection:
    return pools.session(Endpoint("tests", url, headers, listed))


async def call(connection: Connection, name: str, **arguments: object) -> ToolOutcome:
    return await connection.call(name, json.dumps(arguments), CONTEXT)


@pytest.mark.parametrize("manner", ["mcp", "legacy/mcp"])
async def test_a_servers_tools_are_listed_and_called(
    pools: Pools,
    mcp_server: McpWorld,
    manner: str,
) -> None:
    open_session = session(pools, f"{mcp_server.base}/{manner}")
    specs = {spec.name: spec for spec in await open_session.list_tools(LIMIT_S)}
    assert specs["add"].description == "Adds two numbers."
    assert specs["add"].parameters["required"] == ["a", "b"]
    assert specs["add"].read_only
    assert not specs["find"].read_only
    assert await call(open_session, "add", a=1, b=2) == ToolOutcome("1 + 2 = 3")
    open_session.close()


async def test_results_of_all_kinds_become_text(
    pools: Pools,
    mcp_server: McpWorld,
) -> None:
    open_session = session(pools, mcp_server.url)
    found = await call(open_session, "find", word="x")
    assert json.loads(found.text) == {"word": "x", "pages": [1, 2]}
    assert (await call(open_session, "picture")).text == "[image/png, 300 bytes, not shown]"
    cut = await call(open_session, "long", chars=5000)
    assert (len(cut.text), cut.cut > 0) == (1000, True)


async def test_what_goes_wrong_is_an_outcome(
    pools: Pools,
    mcp_server: McpWorld,
) -> None:
    open_session = session(pools, mcp_server.url)
    assert await call(open_session, "fail", why="closed") == ToolOutcome(FAILED, "failed")
    assert (await call(open_session, "add", a="x")).error == "failed"
    assert (await call(open_session, "nothing")).error == "failed"
    assert (await open_session.call("add", "no json", CONTEXT)).error == "bad_arguments"
    assert (await open_session.call("add", "[1]", CONTEXT)).error == "bad_arguments"


async def test_a_slow_tool_is_given_up_and_the_session_goes_on(
    pools: Pools,
    mcp_server: McpWorld,
) -> None:
    open_session = session(pools, mcp_server.url)
    await call(open_session, "add", a=1, b=2)
    slow = await open_session.call("sleep", '{"seconds": 30}', ToolContext(timeout_s=0.05))
    assert slow.error == "timeout"
    assert await call(open_session, "add", a=1, b=3) == ToolOutcome("1 + 3 = 4")


async def test_calls_of_a_session_go_side_by_side(
    pools: Pools,
    mcp_server: McpWorld,
) -> None:
    open_session = session(pools, mcp_server.url)
    sums = await asyncio.gather(*(call(open_session, "add", a=n, b=1) for n in range(8)))
    assert [one.text for one in sums] == [f"{n} + 1 = {n + 1}" for n in range(8)]
    assert mcp_server.seen("server/discover") >= 1


async def test_a_server_hears_when_a_session_is_over(
    pools: Pools,
    mcp_server: McpWorld,
) -> None:
    before = mcp_server.seen("DELETE", "legacy")
    open_session = session(pools, f"{mcp_server.base}/legacy/mcp")
    await call(open_session, "add", a=1, b=2)
    open_session.close()
    async with asyncio.timeout(10):
        while await asyncio.to_thread(mcp_server.seen, "DELETE", "legacy") == before:
            await asyncio.sleep(0.01)


async def test_a_session_that_nobody_needed_was_never_opened(
    pools: Pools,
    mcp_server: McpWorld,
) -> None:
    before = mcp_server.seen("server/discover")
    session(pools, mcp_server.url).close()
    assert mcp_server.seen("server/discover") == before


async def test_headers_are_sent_with_every_request(
    pools: Pools,
    mcp_server: McpWorld,
) -> None:
    locked = f"{mcp_server.base}/locked/mcp"
    with pytest.raises(ServerAway, match="answered with an error"):
        await session(pools, locked).list_tools(LIMIT_S)
    open_session = session(pools, locked, authorization="Bearer letmein")
    assert (await call(open_session, "token")).text == "Bearer letmein"


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("gzip/mcp", "cannot be reached"),
        ("away/mcp", "answered with an error"),
        ("broken/mcp", "answered with an error"),
    ],
)
async def test_a_server_that_misbehaves_is_away(
    pools: Pools,
    mcp_server: McpWorld,
    path: str,
    says: str,
) -> None:
    url = f"{mcp_server.base}/{path}"
    with pytest.raises(ServerAway, match=says) as caught:
        await session(pools, url).list_tools(LIMIT_S)
    assert "127.0.0.1" not in str(caught.value)
    assert (await call(session(pools, url), "add", a=1, b=2)).error in ("unavailable", "failed")


async def test_a_server_that_is_not_there_is_away(pools: Pools) -> None:
    with pytest.raises(ServerAway, match="cannot be reached"):
        await session(pools, "http://127.0.0.1:1/mcp").list_tools(LIMIT_S)


async def test_a_server_that_never_answers_is_given_up(pools: Pools) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    listening = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    try:
        open_session = session(pools, f"http://127.0.0.1:{port}/mcp")
        with pytest.raises(ServerAway, match="did not answer in"):
            await open_session.list_tools(0.05)
    finally:
        await pools.close()
        listening.close()
        await listening.wait_closed()


async def test_a_server_that_a_caller_chose_must_have_a_public_address(
    pools: Pools,
    mcp_server: McpWorld,
) -> None:
    before = mcp_server.seen("server/discover")
    chosen = session(pools, f"https://localhost:{mcp_server.port}/mcp", listed="")
    with pytest.raises(ServerAway, match="no public address"):
        await chosen.list_tools(LIMIT_S)
    assert mcp_server.seen("server/discover") == before


async def test_closing_the_pools_ends_all_sessions(
    mcp_server: McpWorld,
) -> None:
    pools = Pools()
    sessions = [session(pools, mcp_server.url) for _ in range(3)]
    for one in sessions:
        await call(one, "add", a=1, b=2)
    await pools.close()
    names = {task.get_name() for task in asyncio.all_tasks()}
    assert "MCP session" not in names
