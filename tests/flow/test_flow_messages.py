"""`POST /v1/messages` through a whole house, asked by Anthropic's own client."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from doors import able, events, post
from houses import Flow, Open, policy
from provider.fixtures import ScriptedProvider

anthropic = pytest.importorskip("anthropic", reason="asks with Anthropic's own client")

HELLO = [{"role": "user", "content": "hello there"}]
WEATHER = {
    "name": "get_weather",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}
ASKED: dict[str, Any] = {"model": "ok", "max_tokens": 50, "messages": HELLO}


@pytest.fixture
async def house(open_flow: Open, provider: ScriptedProvider) -> AsyncIterator[Flow]:
    async with open_flow(able(provider)) as flow:
        yield flow


@pytest.fixture
async def client(house: Flow) -> AsyncIterator[Any]:
    async with anthropic.AsyncAnthropic(
        api_key="k", base_url=f"http://127.0.0.1:{house.port}", max_retries=0
    ) as client:
        yield client


async def test_a_message(client: Any, provider: ScriptedProvider) -> None:
    message = await client.messages.create(**ASKED, system="be nice", stop_sequences=["END"])
    [block] = message.content
    assert block.text == "You said: hello there"
    assert (message.model, message.stop_reason) == ("ok", "end_turn")
    assert message.usage.input_tokens == 4
    assert message.usage.output_tokens == 4
    [sent] = [entry["body"] for entry in provider.log("ok")]
    assert sent["messages"][0] == {"role": "system", "content": "be nice"}
    assert sent["stop"] == ["END"]


async def test_a_streamed_message(client: Any) -> None:
    async with client.messages.stream(**ASKED) as stream:
        text = "".join([piece async for piece in stream.text_stream])
        message = await stream.get_final_message()
    assert text == "You said: hello there"
    assert message.content[0].text == text
    assert message.stop_reason == "end_turn"
    assert (message.usage.input_tokens, message.usage.output_tokens) == (2, 4)


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_tool_loop(
    client: Any, house: Flow, provider: ScriptedProvider, streamed: bool
) -> None:
    provider.script("ok", "tools", "echo")
    asked = {**ASKED, "tools": [WEATHER], "tool_choice": {"type": "any"}}
    if streamed:
        async with client.messages.stream(**asked) as stream:
            message = await stream.get_final_message()
    else:
        message = await client.messages.create(**asked)
    [use] = message.content
    assert (message.stop_reason, use.type, use.name) == ("tool_use", "tool_use", "get_weather")
    assert use.input == {"city": "Paris"}
    result = {"type": "tool_result", "tool_use_id": use.id, "content": "rain"}
    turns = [
        *HELLO,
        {"role": "assistant", "content": [block.model_dump() for block in message.content]},
        {"role": "user", "content": [result]},
    ]
    answer = await client.messages.create(**{**asked, "messages": turns})
    sent = json.loads(answer.content[0].text)["messages"]
    assert sent[1]["tool_calls"][0]["function"]["arguments"] == '{"city":"Paris"}'
    assert sent[2] == {"role": "tool", "tool_call_id": use.id, "content": "rain"}


@pytest.mark.parametrize("streamed", [False, True])
async def test_thinking(client: Any, provider: ScriptedProvider, streamed: bool) -> None:
    provider.script("ok", "reasoning")
    thinking = {"type": "enabled", "budget_tokens": 1024}
    asked = {**ASKED, "max_tokens": 2000, "thinking": thinking}
    if streamed:
        async with client.messages.stream(**asked) as stream:
            message = await stream.get_final_message()
    else:
        message = await client.messages.create(**asked)
    thoughts = [block.thinking for block in message.content if block.type == "thinking"]
    said = [block.text for block in message.content if block.type == "text"]
    assert message.content[0].type == "thinking"
    assert ("".join(thoughts), "".join(said)) == ("Let me think.", "You said: hello there")
    assert provider.log("ok")[0]["body"]["reasoning_effort"] == "low"


async def test_an_answer_of_the_cache_is_a_message_too(client: Any, house: Flow) -> None:
    first = await client.messages.create(**ASKED)
    again = await client.messages.with_raw_response.create(**ASKED)
    assert again.headers["x-serve-app-cache"] in ("l1", "flight")
    assert (await again.parse()).content == first.content
    async with client.messages.stream(**ASKED) as stream:
        replayed = await stream.get_final_message()
    assert replayed.content[0].text == first.content[0].text
    assert replayed.usage.output_tokens == first.usage.output_tokens
    _, headers, _ = await house.chat("hello there", max_tokens=50)
    assert headers["x-serve-app-cache"] in ("l1", "flight"), "the same question in OpenAI's shape"


# -------------------------------------------------------------------- errors


async def test_errors_are_the_clients_own(open_flow: Open, provider: ScriptedProvider) -> None:
    async with (
        open_flow(able(provider), policy(admission={"require_key": True})) as flow,
        anthropic.AsyncAnthropic(
            api_key="wrong", base_url=f"http://127.0.0.1:{flow.port}", max_retries=0
        ) as client,
    ):
        with pytest.raises(anthropic.AuthenticationError) as refused:
            await client.messages.create(**ASKED)
        assert refused.value.body["error"]["type"] == "authentication_error"
        with pytest.raises(anthropic.AuthenticationError):
            await client.messages.count_tokens(model="ok", messages=HELLO)


@pytest.mark.parametrize(
    ("fields", "status", "kind"),
    [
        ({"max_tokens": 0}, 400, "invalid_request_error"),
        ({"model": "nowhere"}, 404, "not_found_error"),
        ({"messages": [{"role": "user", "content": [{"type": "document"}]}]}, 400,
         "invalid_request_error"),
    ],
)  # fmt: skip
async def test_a_refusal_has_anthropics_shape(
    house: Flow, fields: dict[str, Any], status: int, kind: str
) -> None:
    got, headers, body = await post(house, "/v1/messages", **{**ASKED, **fields})
    assert (got, body["type"], body["error"]["type"]) == (status, "error", kind)
    assert body["request_id"] == headers["x-request-id"]


async def test_even_before_the_body_is_read(open_flow: Open, provider: ScriptedProvider) -> None:
    async with open_flow(able(provider), policy(draining=True)) as flow:
        status, headers, body = await post(flow, "/v1/messages", **ASKED)
        assert (status, body["error"]["type"]) == (503, "overloaded_error")
        assert "retry-after" in headers
        async with flow.http.get("/v1/messages") as answer:
            assert (answer.status, (await answer.json())["type"]) == (405, "error")
        headers = {"anthropic-version": "2023-06-01"}
        async with flow.http.get("/v1/messages/batches", headers=headers) as answer:
            body = await answer.json()
            assert (answer.status, body["error"]["type"]) == (404, "not_found_error")


async def test_a_stream_that_breaks_off_ends_with_one_error(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    rules = policy(execution={"recover": False})
    async with open_flow(able(provider), rules) as flow:
        provider.script("ok", "cut-after-3")
        status, _, stream = await post(flow, "/v1/messages", **ASKED, stream=True)
    made = events(stream)
    assert status == 200
    assert [event["type"] for event in made].count("error") == 1
    assert made[-1]["type"] == "error"
    assert made[-1]["error"]["type"] == "api_error"
    assert stream.rstrip().split("\n")[-2] == "event: error"
    assert not {"message_delta", "message_stop"} & {event["type"] for event in made}


# -------------------------------------------------------------------- around


async def test_tokens_are_estimated(client: Any, provider: ScriptedProvider) -> None:
    few = await client.messages.count_tokens(model="ok", messages=HELLO)
    many = await client.messages.count_tokens(model="ok", messages=HELLO, tools=[WEATHER])
    assert 0 < few.input_tokens < many.input_tokens
    assert provider.log("ok") == []


async def test_models_are_listed_for_anthropics_client(client: Any) -> None:
    page = await client.models.list()
    assert "ok" in [model.id for model in page.data]
    assert not page.has_more
    assert (await client.models.retrieve("ok")).id == "ok"
    with pytest.raises(anthropic.NotFoundError):
        await client.models.retrieve("nowhere")
