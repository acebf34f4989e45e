"""The tool loop over the whole corridor: calls that run here, their bounds, their price."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from contextlib import aclosing
from time import monotonic
from typing import Any

import pytest
from doors import able, events, post
from houses import Flow, Open, policy
from provider.fixtures import ScriptedProvider
from tools import tool_functions as functions

from serve_app.core.errors import PolicyRejected
from serve_app.core.trail import Trail
from serve_app.core.types import Chunk
from serve_app.passage import Ask, Facts
from serve_app.wire import openai

WEATHER = {"type": "serve_app", "name": "weather"}
PYTHON = {
    name: {"name": name, "function": f"tools.tool_functions:{name}"}
    for name in ("weather", "long", "breaks", "together", "waits_for_ever", "stuck")
}
OWN = {"type": "function", "function": {"name": "own", "parameters": {"type": "object"}}}
LOOK = [
    {"say": "Let me look.", "calls": [["weather", {"city": "Oslo"}]]},
    {"say": "So: {results}"},
]
TOLD = "Let me look.\n\nSo: Oslo: 20 C"


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    functions.CALLS.clear()
    functions.RUNNING.clear()
    functions.MOST[0] = 0
    yield
    functions.GATE.set()


def rules(**more: Any) -> Any:
    """A policy with tools; `limits`, and sections of the policy by their names."""
    tools = {"enabled": True, "python": list(PYTHON.values()), "limits": more.pop("limits", {})}
    return policy(tools={**tools, **more.pop("tools", {})}, **more)


async def ask(flow: Flow, plan: list[Any], *tools: Any, **fields: Any) -> tuple[int, Any, Any]:
    """Status, headers, and the body or the events of a stream."""
    body = {"model": "ok", "messages": [{"role": "user", "content": json.dumps(plan)}]}
    body |= {"tools": list(tools or [WEATHER]), **fields}
    status, headers, answer = await post(flow, "/v1/chat/completions", **body)
    return status, headers, events(answer) if isinstance(answer, str) else answer


def deltas(answer: list[Any]) -> list[dict[str, Any]]:
    return [choice["delta"] for event in answer[:-1] for choice in event.get("choices", ())]


def text_of(answer: Any) -> str:
    """What a body or a stream says."""
    if isinstance(answer, list):
        return "".join(delta.get("content") or "" for delta in deltas(answer))
    return answer["choices"][0]["message"]["content"]


def finish_of(answer: Any) -> list[str]:
    found = answer[:-1] if isinstance(answer, list) else [answer]
    reasons = [choice["finish_reason"] for one in found for choice in one["choices"]]
    return [reason for reason in reasons if reason]


def asked(provider: ScriptedProvider) -> list[dict[str, Any]]:
    return [entry["body"] for entry in provider.log("ok")]


def question_of(plan: list[Any], *names: str, stream: bool = False) -> Ask:
    """A request as the front door hands it over."""
    body = {
        "model": "ok",
        "stream": stream,
        "messages": [{"role": "user", "content": json.dumps(plan)}],
        "tools": [{"type": "serve_app", "name": name} for name in names],
    }
    request = openai.decode(json.dumps(body).encode())
    return Ask(request, Trail("req_1"), path="/v1/chat/completions", deadline=monotonic() + 60)


async def read(flow: Flow, question: Ask) -> tuple[Facts, str]:
    """The facts of an answer, and its text."""
    reply = await flow.house.loop.answer(question)
    async with aclosing(reply):
        if reply.whole is not None:
            body = json.loads(reply.whole.raw)
            return reply.facts, body["choices"][0]["message"]["content"]
        assert reply.chunks is not None
        said = ""
        async for batch in reply.chunks:
            said += text_in(batch)
    return reply.facts, said


def text_in(batch: list[Chunk]) -> str:
    return "".join(choice.delta.content or "" for chunk in batch for choice in chunk.choices)


async def until(condition: Any, limit_s: float = 10) -> None:
    async with asyncio.timeout(limit_s):
        while not condition():
            await asyncio.sleep(0.005)


both = pytest.mark.parametrize("streamed", [True, False], ids=["stream", "body"])


# ------------------------------------------------------------------ the way round


@both
async def test_a_tool_runs_here_and_its_caller_gets_the_answer(
    open_flow: Open, provider: ScriptedProvider, streamed: bool
) -> None:
    provider.script("ok", "planned")
    async with open_flow(able(provider), rules()) as flow:
        status, headers, answer = await ask(flow, LOOK, stream=streamed)
    assert status == 200
    assert text_of(answer) == TOLD
    assert finish_of(answer) == ["stop"]
    assert functions.CALLS == ["Oslo"]
    first, second = asked(provider)
    [offered] = first["tools"]
    assert offered["function"]["name"] == "weather"
    assert offered["function"]["parameters"]["required"] == ["city"]
    assert "tool_choice" not in first
    said, result = second["messages"][1:]
    assert said["content"] == "Let me look."
    assert [call["function"]["name"] for call in said["tool_calls"]] == ["weather"]
    assert result == {
        "role": "tool",
        "tool_call_id": said["tool_calls"][0]["id"],
        "content": "Oslo: 20 C",
    }
    assert headers["x-serve-app-cache"] == "bypass"


async def test_a_stream_has_one_id_one_role_and_no_calls_that_ran_here(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    provider.script("ok", "planned")
    async with open_flow(able(provider), rules()) as flow:
        _, _, answer = await ask(flow, LOOK, stream=True, stream_options={"include_usage": True})
    assert answer[-1] == "[DONE]"
    assert len({(event["id"], event["created"]) for event in answer[:-1]}) == 1
    assert [delta["role"] for delta in deltas(answer) if "role" in delta] == ["assistant"]
    assert not any(delta.get("tool_calls") for delta in deltas(answer))
    used = [event["usage"] for event in answer[:-1] if event.get("usage")]
    bodies = asked(provider)
    assert len(used) == 1
    assert used[0]["completion_tokens"] == 6, "three of each answer"
    assert len(bodies) == 2


@both
async def test_usage_and_cost_are_those_of_all_answers(
    open_flow: Open, provider: ScriptedProvider, streamed: bool
) -> None:
    provider.script("ok", "planned")
    async with open_flow(able(provider), rules()) as flow:
        _, headers, answer = await ask(
            flow, LOOK, stream=streamed, stream_options={"include_usage": True}
        )
        usage = answer[-2]["usage"] if streamed else answer["usage"]
        cost = usage["prompt_tokens"] + 2 * usage["completion_tokens"]
        if not streamed:
            assert headers["x-serve-app-cost-usd"] == f"0.{cost:06d}"

        async def settled() -> Any:
            total = (await flow.house.ledger.totals("default")).total
            return total if total.requests == 2 else None

        async with asyncio.timeout(10):
            while (total := await settled()) is None:
                await asyncio.sleep(0.01)
    assert total.cost_micro_usd == cost
    assert (total.prompt_tokens, total.completion_tokens) == (
        usage["prompt_tokens"],
        usage["completion_tokens"],
    )


async def test_the_head_names_the_calls(open_flow: Open, provider: ScriptedProvider) -> None:
    provider.script("ok", "planned")
    async with open_flow(able(provider), rules()) as flow:
        _, headers, _ = await ask(flow, LOOK)
    assert re.fullmatch(r"weather;ms=\d+", headers["x-serve-app-tools"])


async def test_requests_without_such_tools_go_straight_on(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    provider.script("ok", "tools")
    async with open_flow(able(provider), rules()) as flow:
        _, _, body = await flow.chat(tools=[OWN])
        _, _, again = await flow.chat(tools=[OWN])
    [call] = body["choices"][0]["message"]["tool_calls"]
    assert call["function"]["name"] == "own"
    assert again["choices"] == body["choices"]
    assert len(provider.log("ok")) == 1, "the second came out of the cache"


@pytest.mark.parametrize("kind", ["serve_app", "mcp"])
async def test_where_no_tools_run_a_request_that_names_some_is_told_so(
    flow: Flow, kind: str
) -> None:
    tool = {"type": kind, "name": "weather", "server_label": "x"}
    status, _, body = await ask(flow, LOOK, tool)
    assert (status, body["error"]["code"]) == (400, "tools_not_enabled")
    assert body["error"]["param"] == "tools[0].type"


# --------------------------------------------------------------- whose calls are whose


@both
async def test_calls_of_the_callers_own_functions_are_handed_to_it(
    open_flow: Open, provider: ScriptedProvider, streamed: bool
) -> None:
    plan = [
        {"calls": [["weather", {"city": "Oslo"}]]},
        {"say": "Now yours.", "calls": [["own", {"a": 1}]]},
    ]
    provider.script("ok", "planned")
    async with open_flow(able(provider), rules()) as flow:
        _, _, answer = await ask(flow, plan, OWN, WEATHER, stream=streamed)
    assert text_of(answer) == "Now yours."
    assert finish_of(answer) == ["tool_calls"]
    if streamed:
        calls = [call for delta in deltas(answer) for call in delta.get("tool_calls") or ()]
        assert {call["index"] for call in calls} == {0}
        written = "".join(call["function"]["arguments"] for call in calls)
        name = calls[0]["function"]["name"]
    else:
        [call] = answer["choices"][0]["message"]["tool_calls"]
        name, written = call["function"]["name"], call["function"]["arguments"]
    assert (name, json.loads(written)) == ("own", {"a": 1})


@both
async def test_where_both_are_called_at_once_those_that_run_here_go_first(
    open_flow: Open, provider: ScriptedProvider, streamed: bool
) -> None:
    plan = [
        {"calls": [["own", {"a": 1}], ["weather", {"city": "Oslo"}]]},
        {"calls": [["own", {"a": 2}]]},
    ]
    provider.script("ok", "planned")
    async with open_flow(able(provider), rules()) as flow:
        _, _, answer = await ask(flow, plan, WEATHER, OWN, stream=streamed)
    assert functions.CALLS == ["Oslo"]
    [call] = asked(provider)[1]["messages"][1]["tool_calls"]
    assert call["function"]["name"] == "weather"
    if not streamed:
        [handed] = answer["choices"][0]["message"]["tool_calls"]
        assert json.loads(handed["function"]["arguments"]) == {"a": 2}
    assert finish_of(answer) == ["tool_calls"]


@both
async def test_a_model_that_will_not_stop_calling_is_stopped(
    open_flow: Open, provider: ScriptedProvider, streamed: bool
) -> None:
    again = {"say": "Once more.", "calls": [["weather", {"city": "Oslo"}]], "stubborn": True}
    provider.script("ok", "planned")
    async with open_flow(able(provider), rules(limits={"max_steps": 3})) as flow:
        status, _, answer = await ask(flow, [again], stream=streamed)
    assert status == 200
    assert finish_of(answer) == ["length"]
    assert text_of(answer) == "\n\n".join(["Once more."] * 3)
    assert "tool_calls" not in json.dumps(answer)
    assert functions.CALLS == ["Oslo", "Oslo"]
    assert len(asked(provider)) == 3


@both
async def test_a_stubborn_models_other_calls_are_still_handed_over(
    open_flow: Open, provider: ScriptedProvider, streamed: bool
) -> None:
    again = {"calls": [["weather", {"city": "Oslo"}], ["own", {"a": 1}]], "stubborn": True}
    provider.script("ok", "planned")
    async with open_flow(able(provider), rules(limits={"max_steps": 2})) as flow:
        _, _, answer = await ask(flow, [again], WEATHER, OWN, stream=streamed)
    assert finish_of(answer) == ["tool_calls"]
    if streamed:
        calls = [call for delta in deltas(answer) for call in delta.get("tool_calls") or ()]
        assert {call["index"] for call in calls} == {0}
        assert calls[0]["function"]["name"] == "own"
    else:
        calls = answer["choices"][0]["message"]["tool_calls"]
        assert [call["function"]["name"] for call in calls] == ["own"]


@both
async def test_calls_that_a_token_limit_cut_off_are_not_made(
    open_flow: Open, provider: ScriptedProvider, streamed: bool
) -> None:
    cut = {"say": "Half", "calls": [["weather", '{"city": "Os']], "finish": "length"}
    provider.script("ok", "planned")
    async with open_flow(able(provider), rules()) as flow:
        _, _, answer = await ask(flow, [cut], stream=streamed)
    assert (text_of(answer), finish_of(answer)) == ("Half", ["length"])
    assert "tool_calls" not in json.dumps(answer)
    assert len(asked(provider)) == 1


# ------------------------------------------------------------------------ bounds


@pytest.mark.parametrize(
    ("limits", "answers"),
    [
        ({"max_steps": 4}, 4),
        ({"max_calls": 2}, 3),
        ({"max_cost_usd": "0.000001"}, 2),
        ({"max_s": 1e-9}, 1),
    ],
    ids=["steps", "calls", "cost", "time"],
)
async def test_a_limit_ends_in_an_answer_without_calls(
    open_flow: Open, provider: ScriptedProvider, limits: dict[str, Any], answers: int
) -> None:
    again = {"calls": [["weather", {"city": "Oslo"}]]}
    provider.script("ok", "planned")
    async with open_flow(able(provider), rules(limits=limits)) as flow:
        status, _, body = await ask(flow, [again])
    bodies = asked(provider)
    assert status == 200
    assert body["choices"][0]["message"]["content"].startswith("Enough")
    assert finish_of(body) == ["stop"]
    assert [one.get("tool_choice") for one in bodies] == [None] * (answers - 1) + ["none"]
    assert all(one["tools"] == bodies[0]["tools"] for one in bodies)
    assert len(functions.CALLS) == answers - 1


async def test_the_caller_may_allow_fewer_calls(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    plan = [{"calls": [["weather", {"city": city}] for city in ("A", "B", "C")]}]
    provider.script("ok", "planned")
    async with open_flow(able(provider), rules()) as flow:
        status, _, body = await ask(flow, plan, max_tool_calls=2)
        assert status == 200
        assert "no more calls may be made" in text_of(body)
        status, _, body = await ask(flow, plan, max_tool_calls=0)
    assert (status, body["error"]["param"]) == (400, "max_tool_calls")
    assert len(functions.CALLS) == 2
    assert all("max_tool_calls" not in one for one in asked(provider))


async def test_at_a_limit_the_callers_own_functions_may_still_be_called(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    plan = [{"calls": [["weather", {"city": "Oslo"}]]}, {"calls": [["own", {}]]}]
    provider.script("ok", "planned")
    async with open_flow(able(provider), rules(limits={"max_steps": 2})) as flow:
        _, _, body = await ask(flow, plan, WEATHER, OWN)
    assert finish_of(body) == ["tool_calls"]
    assert [tool["function"]["name"] for tool in asked(provider)[1]["tools"]] == ["own"]
    assert "tool_choice" not in asked(provider)[1]


@pytest.mark.parametrize(
    ("choice", "first"),
    [
        ("required", "required"),
        ("auto", "auto"),
        (
            {"type": "serve_app", "name": "weather"},
            {"type": "function", "function": {"name": "weather"}},
        ),
    ],
)
async def test_a_demanded_call_is_demanded_once(
    open_flow: Open, provider: ScriptedProvider, choice: Any, first: Any
) -> None:
    provider.script("ok", "planned")
    async with open_flow(able(provider), rules()) as flow:
        status, _, _ = await ask(flow, LOOK, tool_choice=choice)
    assert status == 200
    assert [one["tool_choice"] for one in asked(provider)] == [first, "auto"]


async def test_calls_of_one_answer_run_side_by_side(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    calls = [["together", {"name": str(n), "of": 4}] for n in range(6)]
    plan = [{"calls": calls}, {"say": "{results}"}]
    tool = {"type": "serve_app", "name": "together"}
    provider.script("ok", "planned")
    async with open_flow(able(provider), rules(limits={"max_parallel": 4})) as flow:
        _, _, body = await ask(flow, plan, tool)
    assert text_of(body) == "0 / 1 / 2 / 3 / 4 / 5", "in the order of the calls"
    assert functions.MOST == [4]


async def test_a_failing_tool_is_the_models_to_deal_with(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    plan = [
        {"calls": [["breaks", {}], ["long", {"chars": 999}], ["weather", {"town": "Oslo"}]]},
        {"say": "{results}"},
    ]
    tools = [{"type": "serve_app", "name": name} for name in ("breaks", "long", "weather")]
    provider.script("ok", "planned")
    async with open_flow(able(provider), rules(limits={"max_result_chars": 100})) as flow:
        status, headers, body = await ask(flow, plan, *tools)
    failed, cut, wrong = text_of(body).split(" / ")
    assert status == 200
    assert failed == "The tool failed: ValueError"
    assert cut.endswith("[cut here: the whole result has 999 characters]")
    assert wrong.startswith("The arguments are not valid")
    told = re.sub(r"ms=\d+", "ms=0", headers["x-serve-app-tools"])
    assert told == "breaks;ms=0;error=failed, long;ms=0, weather;ms=0;error=bad_arguments"


async def test_a_slow_tool_is_given_up(open_flow: Open, provider: ScriptedProvider) -> None:
    plan = [{"calls": [["waits_for_ever", {}]]}, {"say": "{results}"}]
    tool = {"type": "serve_app", "name": "waits_for_ever"}
    provider.script("ok", "planned")
    async with open_flow(able(provider), rules(limits={"per_call_s": 0.05})) as flow:
        _, _, body = await ask(flow, plan, tool)
    assert text_of(body) == "The tool did not answer in time"


@both
async def test_who_leaves_stops_everything(
    open_flow: Open, provider: ScriptedProvider, streamed: bool
) -> None:
    plan = [{"say": "Wait.", "calls": [["waits_for_ever", {}]]}]
    provider.script("ok", "planned")
    async with open_flow(able(provider), rules()) as flow:
        question = question_of(plan, "waits_for_ever", stream=streamed)
        task = asyncio.create_task(read(flow, question))
        await until(lambda: "waits_for_ever" in functions.RUNNING)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not functions.RUNNING
    assert len(asked(provider)) == 1


async def test_text_before_a_call_does_not_wait_for_it(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    plan = [{"say": "Wait.", "calls": [["stuck", {}]]}, {"say": "{results}"}]
    functions.GATE.clear()
    provider.script("ok", "planned")
    async with open_flow(able(provider), rules()) as flow:
        reply = await flow.house.loop.answer(question_of(plan, "stuck", stream=True))
        async with aclosing(reply):
            assert reply.chunks is not None
            said = ""
            while "Wait." not in said:
                said += text_in(await anext(reply.chunks))
            functions.GATE.set()
            async for batch in reply.chunks:
                said += text_in(batch)
    assert said == "Wait.\n\nfree"


async def test_a_reply_that_nobody_reads_is_let_go_of(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    provider.script("ok", "stall-after-3")
    async with open_flow(able(provider), rules()) as flow:
        reply = await flow.house.loop.answer(question_of(LOOK, "weather", stream=True))
        await reply.aclose()
        assert await asyncio.to_thread(provider.wait, "ok", "aborted")


# ---------------------------------------------------------------- what is told of calls


@both
async def test_calls_are_told_of_in_the_facts(
    open_flow: Open, provider: ScriptedProvider, streamed: bool
) -> None:
    plan = [
        {"say": "First.", "calls": [["weather", {"city": "A"}], ["weather", {"city": "B"}]]},
        {"calls": [["weather", {}]]},
        {"say": "Done."},
    ]
    provider.script("ok", "planned")
    async with open_flow(able(provider), rules()) as flow:
        facts, _ = await read(flow, question_of(plan, "weather", stream=streamed))
    steps = facts.tool_steps
    assert [(s.step, s.name, s.server, s.state, s.error) for s in steps] == [
        (1, "weather", "", "completed", ""),
        (1, "weather", "", "completed", ""),
        (2, "weather", "", "failed", "bad_arguments"),
    ]
    assert [json.loads(s.arguments) for s in steps] == [{"city": "A"}, {"city": "B"}, {}]
    assert [s.output for s in steps[:2]] == ["A: 20 C", "B: 20 C"]
    assert [s.said for s in steps] == ["First.", "", ""]
    assert all(s.ms > 0 for s in steps)
    assert facts.attempts == 3


async def test_a_stream_says_when_calls_begin_and_end_to_who_wants_to_show_them(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    seen: list[Any] = []
    provider.script("ok", "planned")
    async with open_flow(able(provider), rules()) as flow:
        question = question_of(LOOK, "weather", stream=True)
        question.shows_tools = True
        reply = await flow.house.loop.answer(question)
        async with aclosing(reply):
            assert reply.chunks is not None
            async for batch in reply.chunks:
                states = [step.state for step in reply.facts.tool_steps]
                seen.append(text_in(batch) if batch else states)
    said = [one for one in seen if one]
    at = said.index(["running"])
    assert said[at + 1] == ["completed"]
    assert "".join(said[:at]) == "Let me look."
    assert "".join(said[at + 2 :]) == "So: Oslo: 20 C", "nothing parts it from what was before"


async def test_every_call_is_in_the_trail_and_nothing_it_says(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    provider.script("ok", "planned")
    async with open_flow(able(provider), rules(limits={"max_steps": 2})) as flow:
        question = question_of(LOOK, "weather")
        await read(flow, question)
    notes = [note for note in question.trail.as_dicts() if note["stage"] in ("tool", "tools")]
    [call, last] = notes
    assert (call["decision"], call["tool"], call["server"]) == ("ok", "weather", "")
    assert (call["arguments_chars"], call["result_chars"], call["cut_chars"]) == (16, 10, 0)
    assert (last["decision"], last["limit"]) == ("last", "steps")
    assert "Oslo" not in json.dumps(notes)


# ------------------------------------------------------------------------ filters


def words(where: str, word: str, action: str = "block") -> dict[str, Any]:
    rule = {"kind": "words", "name": "no", "words": [word], "where": [where], "action": action}
    return {"injection": "off", "rules": [rule]}


async def test_a_result_that_a_rule_blocks_ends_the_request(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    provider.script("ok", "planned")
    async with open_flow(able(provider), rules(filter=words("tool_results", "oslo"))) as flow:
        status, _, body = await ask(flow, LOOK)
        assert (status, body["error"]["code"]) == (403, "blocked_by_policy")
        status, _, answer = await ask(flow, LOOK, stream=True)
    assert status == 200
    assert text_of([*answer[:-1], "[DONE]"]) == "Let me look."
    assert answer[-1]["error"]["code"] == "blocked_by_policy"
    assert len(asked(provider)) == 2, "no model has seen the result"


@both
async def test_results_and_arguments_are_redacted_for_the_model(
    open_flow: Open, provider: ScriptedProvider, streamed: bool
) -> None:
    places = ["tool_results", "tool_arguments"]
    rule = {"kind": "pii", "name": "hide", "where": places, "kinds": ["email"]}
    city = "ann@example.com"
    plan = [{"calls": [["weather", {"city": city}]]}, {"say": "{results}"}]
    provider.script("ok", "planned")
    made = {"injection": "off", "rules": [rule]}
    async with open_flow(able(provider), rules(filter=made)) as flow:
        _, _, answer = await ask(flow, plan, stream=streamed)
    assert functions.CALLS == ["[EMAIL]"]
    assert text_of(answer) == "[EMAIL]: 20 C"


@both
async def test_tools_get_real_values_where_the_model_has_placeholders(
    open_flow: Open, provider: ScriptedProvider, streamed: bool
) -> None:
    places = ["input", "tool_results", "tool_arguments"]
    rule = {
        "kind": "pii", "name": "hide", "where": places, "kinds": ["email"], "replace": "reversible",
    }  # fmt: skip
    plan = [{"calls": [["weather", {"city": "ann@example.com"}]]}, {"say": "{results}"}]
    provider.script("ok", "planned")
    made = {"injection": "off", "rules": [rule]}
    async with open_flow(able(provider), rules(filter=made)) as flow:
        _, _, answer = await ask(flow, plan, stream=streamed)
    assert functions.CALLS == ["ann@example.com"]
    assert text_of(answer) == "ann@example.com: 20 C"
    assert "ann@" not in json.dumps(asked(provider))


@both
async def test_arguments_that_a_rule_blocks_are_not_called_with(
    open_flow: Open, provider: ScriptedProvider, streamed: bool
) -> None:
    plan = [{"say": "Let me.", "calls": [["weather", {"city": "Oslo xyzzy"}]]}]
    provider.script("ok", "planned")
    made = words("tool_arguments", "xyzzy")
    async with open_flow(able(provider), rules(filter=made)) as flow:
        status, _, answer = await ask(flow, plan, stream=streamed)
    assert status == 200
    assert finish_of(answer) == ["content_filter"]
    assert text_of(answer) == "Let me."
    assert not functions.CALLS


# ------------------------------------------------------------- tenants, cache, sessions


async def test_tools_are_for_the_tenants_that_the_policy_names(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    mine = {**PYTHON["weather"], "tenants": ["acme"]}
    async with open_flow(able(provider), rules(tools={"python": [mine]})) as flow:
        status, _, body = await ask(flow, LOOK)
        assert (status, body["error"]["code"]) == (400, "tool_not_found")
        assert body["error"]["param"] == "tools[0].name"
        assert "there are: none" in body["error"]["message"]
    assert not asked(provider)


async def test_nobody_is_told_of_tools_without_a_key(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    async with open_flow(able(provider), rules(admission={"require_key": True})) as flow:
        status, _, body = await ask(flow, LOOK, {"type": "serve_app", "name": "nothing"})
    assert (status, body["error"]["code"]) == (401, "missing_api_key")


async def test_each_answer_counts_as_a_request(open_flow: Open, provider: ScriptedProvider) -> None:
    provider.script("ok", "planned")
    limited = {"require_key": False, "limits": [{"per": ["user"], "requests_per_minute": 3}]}
    async with open_flow(able(provider), rules(admission=limited)) as flow:
        assert (await ask(flow, LOOK))[0] == 200
        status, _, body = await ask(flow, LOOK)
    assert (status, body["error"]["type"]) == (429, "rate_limit_error")
    assert len(asked(provider)) == 3


async def test_answers_with_pure_tools_may_come_from_the_cache(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    pure = {**PYTHON["weather"], "pure": True}
    provider.script("ok", "planned")
    async with open_flow(able(provider), rules(tools={"python": [pure]})) as flow:
        level = ""
        async with asyncio.timeout(10):
            while level not in ("l1", "l2"):
                _, headers, answer = await ask(flow, LOOK)
                level = headers["x-serve-app-cache"]
                assert text_of(answer) == TOLD
    assert len(asked(provider)) == 2


@both
async def test_a_session_keeps_the_whole_turn_once(
    open_flow: Open, provider: ScriptedProvider, streamed: bool
) -> None:
    plan = [
        {"say": "First.", "calls": [["weather", {"city": "A"}], ["weather", {"city": "B"}]]},
        {"say": "{results}"},
    ]
    provider.script("ok", "planned")
    async with open_flow(able(provider), rules()) as flow:
        fields = {"session_id": "s", "model": "ok", "stream": streamed, "tools": [WEATHER]}
        status, _, answer = await post(flow, "/agent/chat", message=json.dumps(plan), **fields)
        assert status == 200
        if streamed:
            told = "".join(event.get("delta", "") for event in events(answer)[:-1])
        else:
            told = answer["message"]
        assert told == "First.\n\nA: 20 C / B: 20 C"
        again = json.dumps([{"say": "Later."}])
        await post(flow, "/agent/chat", message=again, **{**fields, "tools": None})
    sent = asked(provider)[-1]["messages"]
    assert [message["role"] for message in sent] == [
        "user", "assistant", "tool", "tool", "assistant", "user",
    ]  # fmt: skip
    assert [call["id"] for call in sent[1]["tool_calls"]] == [m["tool_call_id"] for m in sent[2:4]]
    assert (sent[1]["content"], sent[4]["content"]) == ("First.", "A: 20 C / B: 20 C")


@both
async def test_a_turn_that_broke_off_between_calls_is_not_kept(
    open_flow: Open, provider: ScriptedProvider, streamed: bool
) -> None:
    provider.script("ok", "planned", "status-400", "planned")
    async with open_flow(able(provider), rules()) as flow:
        fields = {"session_id": "s", "model": "ok", "stream": streamed, "tools": [WEATHER]}
        status, _, answer = await post(flow, "/agent/chat", message=json.dumps(LOOK), **fields)
        assert status == (200 if streamed else 400)
        if streamed:
            assert "error" in events(answer)[-1]
        await post(flow, "/agent/chat", message=json.dumps([{"say": "x"}]), **fields)
    assert len(asked(provider)[-1]["messages"]) == 1


async def test_the_agent_endpoint_takes_only_tools_that_run_here(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    async with open_flow(able(provider), rules()) as flow:
        status, _, body = await post(flow, "/agent/chat", message="hi", tools=[OWN])
    assert (status, body["error"]["param"]) == (400, "tools[0].type")


async def test_several_answers_cannot_be_had_at_once(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    async with open_flow(able(provider), rules()) as flow:
        status, _, body = await ask(flow, LOOK, n=2)
    assert (status, body["error"]["param"]) == (400, "n")


async def test_a_policy_changes_the_tools_and_a_bad_one_nothing(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    provider.script("ok", "planned")
    bad = {**PYTHON["weather"], "function": "no.such.module:f"}
    async with open_flow(able(provider), policy()) as flow:
        assert (await ask(flow, LOOK))[0] == 400
        flow.house.apply(rules())
        assert (await ask(flow, LOOK))[0] == 200
        with pytest.raises(PolicyRejected, match=r"tools\.python\['weather'\]"):
            flow.house.apply(rules(tools={"python": [bad]}))
        assert (await ask(flow, LOOK))[0] == 200


async def test_metrics_count_the_calls(open_flow: Open, provider: ScriptedProvider) -> None:
    plan = [{"calls": [["weather", {"city": "A"}], ["breaks", {}]]}, {"say": "x"}]
    tools = [{"type": "serve_app", "name": name} for name in ("weather", "breaks")]
    provider.script("ok", "planned")
    async with open_flow(able(provider), rules()) as flow:
        await ask(flow, plan, *tools)
        async with flow.http.get("/metrics") as answer:
            text = await answer.text()
    for tool, outcome in (("weather", "ok"), ("breaks", "failed")):
        labels = f'outcome="{outcome}",tool="{tool}"'
        assert f"serve_app_tool_calls_total{{{labels}}} 1.0" in text
