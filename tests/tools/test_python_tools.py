"""Python functions as tools: what the model is told of them, and what becomes of a call."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest
from tools import tool_functions as functions

from serve_app.config.tools_policy import PythonTool as Settings
from serve_app.core.errors import PolicyRejected
from serve_app.tools.base import ToolContext, ToolOutcome
from serve_app.tools.python_tools import PythonTool

CONTEXT = ToolContext(tenant="acme", user="ada", timeout_s=5.0, max_chars=1000)


def tool(name: str, **more: Any) -> PythonTool:
    path = f"tools.tool_functions:{name}"
    return PythonTool(Settings(name=name, function=path, **more), f"tools.python[{name!r}]")


async def call(name: str, context: ToolContext = CONTEXT, **arguments: Any) -> ToolOutcome:
    return await tool(name).call(json.dumps(arguments), context)


def test_a_tool_is_described_by_its_signature_and_docstring() -> None:
    spec = tool("weather").spec
    assert (spec.name, spec.description) == ("weather", "The weather of a city.")
    assert spec.parameters == {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "Its name, in English."},
            "unit": {"enum": ["C", "F"], "default": "C", "description": "Of the temperature."},
        },
        "required": ["city"],
        "additionalProperties": False,
    }


def test_types_of_ones_own_are_in_the_schema() -> None:
    parameters = tool("near").spec.parameters
    assert parameters["properties"]["place"] == {"$ref": "#/$defs/Place"}
    assert parameters["$defs"]["Place"]["required"] == ["lat"]
    assert parameters["required"] == ["place"]


def test_the_context_is_nothing_the_model_fills_in() -> None:
    assert list(tool("who").spec.parameters["properties"]) == ["greeting"]


def test_the_policy_may_describe_it() -> None:
    assert tool("weather", description="Ask me.").spec.description == "Ask me."


async def test_plain_and_async_functions_are_called() -> None:
    assert await call("weather", city="Oslo") == ToolOutcome("Oslo: 20 C")
    assert await call("who") == ToolOutcome("hello acme ada")


async def test_what_is_no_text_is_told_as_json() -> None:
    outcome = await call("near", place={"lat": 1}, names=["a", "b"], most=1)
    assert json.loads(outcome.text) == {"lat": 1.0, "names": ["a"]}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("{}", "required field `city`"),
        ('{"city": 3}', "Expected `str`"),
        ('{"city": "Oslo", "unit": "K"}', "Invalid enum value"),
        ('{"city": "Oslo", "more": 1}', "unknown field `more`"),
        ("not json", "malformed"),
        ('["Oslo"]', "Expected `object`"),
        ("[" * 5000, "arguments are not valid"),
        ('{"city": "\ud800"}', "arguments are not valid"),
    ],
)
async def test_arguments_are_checked_and_the_model_is_told(arguments: str, says: str) -> None:
    functions.CALLS.clear()
    outcome = await tool("weather").call(arguments, CONTEXT)
    assert outcome.error == "bad_arguments"
    assert says in outcome.text
    assert not functions.CALLS


async def test_a_tool_says_what_is_wrong_and_others_only_that_something_is() -> None:
    assert await call("refuses", why="closed") == ToolOutcome("no: closed", "failed")
    assert await call("breaks") == ToolOutcome("The tool failed: ValueError", "failed")


@pytest.mark.parametrize("name", ["leaves", "leaves_the_loop", "gives_up", "strange"])
async def test_nothing_a_tool_does_ends_the_request(name: str) -> None:
    assert (await call(name)).error == "failed"


async def test_a_call_that_takes_too_long_is_given_up() -> None:
    short = ToolContext(timeout_s=0.02)
    outcome = await call("waits_for_ever", short)
    assert outcome.error == "timeout"
    assert "waits_for_ever" not in functions.RUNNING


async def test_the_tools_own_limit_counts_where_it_is_shorter() -> None:
    outcome = await tool("waits_for_ever", timeout_s=0.02).call("{}", CONTEXT)
    assert outcome.error == "timeout"


async def test_cancelling_the_request_cancels_the_call() -> None:
    task = asyncio.create_task(tool("waits_for_ever").call("{}", CONTEXT))
    async with asyncio.timeout(5):
        while "waits_for_ever" not in functions.RUNNING:
            await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert "waits_for_ever" not in functions.RUNNING


async def test_stuck_threads_are_bounded_and_give_their_places_back() -> None:
    functions.GATE.clear()
    stuck, short = tool("stuck"), ToolContext(timeout_s=0.05)
    try:
        outcomes = await asyncio.gather(*(stuck.call("{}", short) for _ in range(20)))
        errors = [outcome.error for outcome in outcomes]
        assert (errors.count("timeout"), errors.count("unavailable")) == (16, 4)
    finally:
        functions.GATE.set()
    async with asyncio.timeout(10):
        while (await stuck.call("{}", CONTEXT)).error:
            await asyncio.sleep(0.001)


async def test_a_long_result_is_cut_and_says_so() -> None:
    outcome = await call("long", chars=5000)
    assert len(outcome.text) == 1000
    assert outcome.text.endswith("[cut here: the whole result has 5000 characters]")
    assert outcome.cut > 4000


async def test_plain_functions_do_not_block_the_loop() -> None:
    functions.GATE.clear()
    waiting = asyncio.create_task(tool("stuck").call("{}", CONTEXT))
    await asyncio.sleep(0)
    threading.Timer(0.01, functions.GATE.set).start()
    assert await waiting == ToolOutcome("free")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("missing", "AttributeError"),
        ("NOT_CALLABLE", "not callable"),
        ("untyped", "city: has no type annotation"),
        ("distance", "start: arguments are given by name"),
    ],
)
def test_what_is_no_tool_is_refused_with_the_policy(name: str, says: str) -> None:
    with pytest.raises(PolicyRejected, match=says):
        tool(name)


def test_a_module_that_is_not_there_is_refused() -> None:
    settings = Settings(name="x", function="no.such.module:f")
    with pytest.raises(PolicyRejected, match="ModuleNotFoundError"):
        PythonTool(settings, "tools.python['x']")
