"""Tools of MCP servers in the loop, with a real server in a process of its own."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from doors import able, events, post
from houses import Flow, Open, policy
from provider.fixtures import ScriptedProvider
from tools.mcp_world import McpWorld

ADD = [{"calls": [["add", {"a": 1, "b": 2}]]}, {"say": "{results}"}]


def rules(world: McpWorld, limits: dict[str, Any] | None = None, **more: Any) -> Any:
    """A policy with one server, `tests`."""
    listed = {"label": "tests", "url": world.url, **more.pop("server", {})}
    tools = {"enabled": True, "mcp": [listed], "limits": limits or {}, **more.pop("tools", {})}
    return policy(tools=tools, **more)


def mcp(**fields: Any) -> dict[str, Any]:
    return {"type": "mcp", "server_label": "tests", "require_approval": "never", **fields}


async def ask(flow: Flow, plan: list[Any], *tools: Any, **fields: Any) -> tuple[int, Any, Any]:
    """Status, headers, and the body or the text of a stream."""
    body = {"model": "ok", "messages": [{"role": "user", "content": json.dumps(plan)}]}
    body |= {"tools": list(tools or [mcp()]), **fields}
    status, headers, answer = await post(flow, "/v1/chat/completions", **body)
    if not isinstance(answer, str):
        return status, headers, answer
    told = [choice["delta"] for event in events(answer)[:-1] for choice in event["choices"]]
    return status, headers, "".join(delta.get("content") or "" for delta in told)


def text_of(body: Any) -> str:
    return body if isinstance(body, str) else body["choices"][0]["message"]["content"]


def offered(provider: ScriptedProvider) -> list[str]:
    """Names of the functions that the last request had."""
    tools = provider.log("ok")[-1]["body"]["tools"]
    return [tool["function"]["name"] for tool in tools]


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("path", ["mcp", "legacy/mcp"])
async def test_a_servers_tool_is_called_and_its_result_told(
    open_flow: Open,
    provider: ScriptedProvider,
    mcp_server: McpWorld,
    path: str,
    streamed: bool,
) -> None:
    provider.script("ok", "planned")
    server = {"url": f"{mcp_server.base}/{path}"}
    async with open_flow(able(provider), rules(mcp_server, server=server)) as flow:
        status, headers, answer = await ask(flow, ADD, stream=streamed)
    assert (status, text_of(answer)) == (200, "1 + 2 = 3")
    if not streamed:
        assert headers["x-serve-app-tools"].startswith("tests.add;ms=")


async def test_a_list_is_fetched_once_and_no_session_opened_for_nothing(
    open_flow: Open, provider: ScriptedProvider, mcp_server: McpWorld
) -> None:
    provider.script("ok", "planned")
    before = mcp_server.seen("tools/list"), mcp_server.seen("server/discover")
    async with open_flow(able(provider), rules(mcp_server)) as flow:
        for _ in range(3):
            assert (await ask(flow, [{"say": "hello"}]))[0] == 200
    after = mcp_server.seen("tools/list"), mcp_server.seen("server/discover")
    assert (after[0] - before[0], after[1] - before[1]) == (1, 1)


async def test_names_that_no_function_may_have_get_others(
    open_flow: Open, provider: ScriptedProvider, mcp_server: McpWorld
) -> None:
    own = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
    plan = [{"calls": [["tests__weather", {"city": "Oslo"}]]}, {"say": "{results}"}]
    provider.script("ok", "planned")
    async with open_flow(able(provider), rules(mcp_server)) as flow:
        _, headers, body = await ask(flow, plan, mcp(), own)
        assert text_of(body) == "Oslo: rain"
        assert headers["x-serve-app-tools"].startswith("tests.weather;")
        names = offered(provider)
        [strange] = [name for name in names if "strange" in name]
        assert strange.startswith("tests__strange_name_1_")
        _, _, body = await ask(flow, [{"calls": [[strange, {}]]}, {"say": "{results}"}])
        assert text_of(body) == "strange"
    assert len(names) == len(set(names))
    assert names[-1] == "weather", "the caller's own keeps its name and its place"


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"allowed_tools": ["add", "nothing"]}, ["add"]),
        ({"allowed_tools": {"read_only": True}}, ["add"]),
        ({"allowed_tools": {"tool_names": ["find", "add"]}}, ["add", "find"]),
    ],
)
async def test_a_request_may_want_some_of_the_tools(
    open_flow: Open,
    provider: ScriptedProvider,
    mcp_server: McpWorld,
    fields: dict[str, Any],
    names: list[str],
) -> None:
    provider.script("ok", "planned")
    async with open_flow(able(provider), rules(mcp_server)) as flow:
        assert (await ask(flow, [{"say": "hello"}], mcp(**fields)))[0] == 200
    assert offered(provider) == names


async def test_the_policy_allows_no_more_than_it_names(
    open_flow: Open, provider: ScriptedProvider, mcp_server: McpWorld
) -> None:
    provider.script("ok", "planned")
    server = {"allowed_tools": ["find"], "pre_approved": True}
    async with open_flow(able(provider), rules(mcp_server, server=server)) as flow:
        tool = {"type": "mcp", "server_label": "tests", "allowed_tools": ["add", "find"]}
        assert (await ask(flow, [{"say": "hello"}], tool))[0] == 200
    assert offered(provider) == ["find"]


@pytest.mark.parametrize(
    "said",
    [None, "always", {"always": {"tool_names": ["add"]}}, {"never": {"tool_names": ["add"]}}],
)
async def test_no_call_is_made_that_should_be_approved(
    open_flow: Open, provider: ScriptedProvider, mcp_server: McpWorld, said: Any
) -> None:
    tool = {"type": "mcp", "server_label": "tests", "require_approval": said}
    async with open_flow(able(provider), rules(mcp_server)) as flow:
        status, _, body = await ask(flow, ADD, tool)
    assert (status, body["error"]["code"]) == (400, "approval_not_supported")
    assert body["error"]["param"] == "tools[0].require_approval"


async def test_tools_that_may_be_called_are_those_approved(
    open_flow: Open, provider: ScriptedProvider, mcp_server: McpWorld
) -> None:
    provider.script("ok", "planned")
    some = {"tool_names": ["add"]}
    tool = mcp(require_approval={"never": some}, allowed_tools=some)
    async with open_flow(able(provider), rules(mcp_server)) as flow:
        assert text_of((await ask(flow, ADD, tool))[2]) == "1 + 2 = 3"


async def test_a_server_that_is_away_is_named(
    open_flow: Open, provider: ScriptedProvider, mcp_server: McpWorld
) -> None:
    server = {"url": "http://127.0.0.1:1/mcp"}
    async with open_flow(able(provider), rules(mcp_server, server=server)) as flow:
        status, _, body = await ask(flow, ADD)
    assert (status, body["error"]["code"]) == (502, "mcp_server_unavailable")
    assert "'tests'" in body["error"]["message"]
    assert not provider.log("ok")


async def test_no_unlisted_server_is_called(
    open_flow: Open, provider: ScriptedProvider, mcp_server: McpWorld
) -> None:
    before = mcp_server.seen("server/discover")
    tool = mcp(server_url=f"{mcp_server.base}/legacy/mcp")
    private = mcp(server_url=f"https://localhost:{mcp_server.port}/mcp")
    async with open_flow(able(provider), rules(mcp_server)) as flow:
        status, _, body = await ask(flow, ADD, tool)
        assert (status, body["error"]["code"]) == (400, "mcp_server_not_found")
        flow.house.apply(rules(mcp_server, tools={"any_server": True}))
        status, _, body = await ask(flow, ADD, tool)
        assert (status, body["error"]["param"]) == (400, "tools[0].server_url")
        status, _, body = await ask(flow, ADD, private)
    assert (status, body["error"]["code"]) == (502, "mcp_server_unavailable")
    assert "no public address" in body["error"]["message"]
    assert mcp_server.seen("server/discover") == before


async def test_a_label_is_there_once_and_tools_are_bounded(
    open_flow: Open, provider: ScriptedProvider, mcp_server: McpWorld
) -> None:
    async with open_flow(able(provider), rules(mcp_server, {"max_tools": 3})) as flow:
        status, _, body = await ask(flow, ADD, mcp(), mcp())
        assert (status, body["error"]["param"]) == (400, "tools[1].server_label")
        status, _, body = await ask(flow, ADD)
    assert (status, body["error"]["code"]) == (400, "too_many_tools")


async def test_a_choice_may_name_a_servers_tool(
    open_flow: Open, provider: ScriptedProvider, mcp_server: McpWorld
) -> None:
    provider.script("ok", "planned")
    choice = {"type": "mcp", "server_label": "tests", "name": "add"}
    async with open_flow(able(provider), rules(mcp_server)) as flow:
        assert (await ask(flow, ADD, tool_choice=choice))[0] == 200
        sent = provider.log("ok")[0]["body"]["tool_choice"]
        assert sent == {"type": "function", "function": {"name": "add"}}
        status, _, body = await ask(flow, ADD, tool_choice={**choice, "name": "nothing"})
    assert (status, body["error"]["param"]) == (400, "tool_choice")


async def test_secrets_of_servers_go_to_them_and_nowhere_else(
    open_flow: Open,
    provider: ScriptedProvider,
    mcp_server: McpWorld,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TESTS_TOKEN", "Bearer letmein")
    server = {
        "url": f"{mcp_server.base}/locked/mcp", "headers_env": {"Authorization": "TESTS_TOKEN"},
    }  # fmt: skip
    provider.script("ok", "planned")
    async with open_flow(able(provider), rules(mcp_server, server=server)) as flow:
        status, headers, body = await ask(flow, ADD)
        assert (status, text_of(body)) == (200, "1 + 2 = 3")
    told = json.dumps([provider.log("ok"), body, dict(headers)]) + capfd.readouterr().out
    assert "letmein" not in told


async def test_sessions_end_with_their_request(
    open_flow: Open, provider: ScriptedProvider, mcp_server: McpWorld
) -> None:
    def sessions() -> list[Any]:
        return [task for task in asyncio.all_tasks() if task.get_name() == "MCP session"]

    provider.script("ok", "planned")
    async with open_flow(able(provider), rules(mcp_server)) as flow:
        for streamed in (True, False):
            assert text_of((await ask(flow, ADD, stream=streamed))[2]) == "1 + 2 = 3"
        async with asyncio.timeout(10):
            while sessions():
                await asyncio.sleep(0.01)


LOOK = [
    {"say": "Let me add.", "calls": [["add", {"a": 1, "b": 2}], ["fail", {"why": "no"}]]},
    {"say": "{results}"},
]
KINDS = ["mcp_list_tools", "message", "mcp_call", "mcp_call", "message"]


@pytest.mark.parametrize("streamed", [True, False])
async def test_a_response_shows_the_calls(
    open_flow: Open, provider: ScriptedProvider, mcp_server: McpWorld, streamed: bool
) -> None:
    asked = {"model": "ok", "input": json.dumps(LOOK), "tools": [mcp()], "stream": streamed}
    provider.script("ok", "planned")
    async with open_flow(able(provider), rules(mcp_server)) as flow:
        status, _, answer = await post(flow, "/v1/responses", **asked)
        assert status == 200
        told = events(answer) if streamed else []
        response = told[-1]["response"] if streamed else answer
        output = response["output"]
        assert [item["type"] for item in output] == KINDS
        added, failed = output[2], output[3]
        assert (added["server_label"], added["name"], added["output"]) == (
            "tests", "add", "1 + 2 = 3",
        )  # fmt: skip
        assert (failed["status"], failed["output"]) == ("failed", None)
        assert output[1]["content"][0]["text"] == "Let me add."
        kinds = [event["type"] for event in told]
        assert kinds.count("response.mcp_call.completed") == int(streamed)
        assert kinds.count("response.mcp_call.failed") == int(streamed)
        follow = {"model": "ok", "previous_response_id": response["id"]}
        again = json.dumps([{"say": "Later."}])
        status, _, _ = await post(flow, "/v1/responses", input=again, **follow)
        assert status == 200
    sent = provider.log("ok")[-1]["body"]["messages"]
    roles = [message["role"] for message in sent]
    assert roles == ["user", "assistant", "tool", "tool", "assistant", "user"]
