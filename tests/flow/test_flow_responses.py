"""`/v1/responses` through a whole house, asked by OpenAI's own client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from doors import able
from houses import Flow, Open
from provider.fixtures import ScriptedProvider

WEATHER: Any = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    "strict": False,
}


@pytest.fixture
async def house(open_flow: Open, provider: ScriptedProvider) -> AsyncIterator[Flow]:
    async with open_flow(able(provider)) as flow:
        yield flow


@pytest.fixture
async def client(house: Flow) -> AsyncIterator[openai.AsyncOpenAI]:
    address = f"http://127.0.0.1:{house.port}/v1"
    async with openai.AsyncOpenAI(api_key="k", base_url=address, max_retries=0) as client:
        yield client


def sent(provider: ScriptedProvider, model: str = "ok") -> list[dict[str, Any]]:
    """The messages of the latest request that the provider got."""
    messages: list[dict[str, Any]] = provider.log(model)[-1]["body"]["messages"]
    return messages


async def test_a_response(client: openai.AsyncOpenAI, provider: ScriptedProvider) -> None:
    response = await client.responses.create(
        model="ok", input="hello", instructions="be nice", metadata={"a": "b"}
    )
    assert response.output_text == "You said: hello"
    assert (response.status, response.model) == ("completed", "ok")
    assert response.usage is not None
    assert response.usage.total_tokens > 0
    assert response.metadata == {"a": "b"}
    assert sent(provider)[0] == {"role": "system", "content": "be nice"}


async def test_a_stored_response_is_found_again(client: openai.AsyncOpenAI) -> None:
    response = await client.responses.create(model="ok", input="hello")
    found = await client.responses.retrieve(response.id)
    assert found == response
    items = await client.responses.input_items.list(response.id)
    [item] = items.data
    assert item.to_dict() == {
        "id": f"msg_{response.id[5:49]}8000",
        "type": "message",
        "role": "user",
        "status": "completed",
        "content": [{"type": "input_text", "text": "hello"}],
    }


async def test_a_response_that_is_not_stored_is_gone(
    client: openai.AsyncOpenAI, provider: ScriptedProvider
) -> None:
    response = await client.responses.create(model="ok", input="hello", store=False)
    with pytest.raises(openai.NotFoundError):
        await client.responses.retrieve(response.id)
    with pytest.raises(openai.NotFoundError) as error:
        await client.responses.create(model="ok", input="more", previous_response_id=response.id)
    assert error.value.param == "previous_response_id"
    assert error.value.code == "previous_response_not_found"


async def test_a_streamed_response(client: openai.AsyncOpenAI) -> None:
    async with client.responses.stream(model="ok", input="hello") as stream:
        deltas = [e.delta async for e in stream if e.type == "response.output_text.delta"]
        final = await stream.get_final_response()
    assert "".join(deltas) == final.output_text == "You said: hello"
    found = await client.responses.retrieve(final.id)
    assert found.output_text == final.output_text
    assert found.usage == final.usage


async def test_responses_continue_one_another(
    client: openai.AsyncOpenAI, provider: ScriptedProvider
) -> None:
    first = await client.responses.create(model="ok", input="one", instructions="be nice")
    second = await client.responses.create(
        model="ok", input="two", previous_response_id=first.id, stream=False
    )
    # Instructions are not carried over, and neither history nor answer are lost.
    assert [m["content"] for m in sent(provider)] == ["one", "You said: one", "two"]
    third = await client.responses.create(
        model="ok", input="three", previous_response_id=second.id, instructions="be brief"
    )
    assert [m["content"] for m in sent(provider)] == [
        "be brief", "one", "You said: one", "two", "You said: two", "three",
    ]  # fmt: skip
    assert third.previous_response_id == second.id


async def test_two_may_continue_the_same_response(
    client: openai.AsyncOpenAI, provider: ScriptedProvider
) -> None:
    first = await client.responses.create(model="ok", input="one")
    for said in ("left", "right"):
        branch = await client.responses.create(
            model="ok", input=said, previous_response_id=first.id
        )
        assert [m["content"] for m in sent(provider)] == ["one", "You said: one", said]
        await client.responses.create(model="ok", input="more", previous_response_id=branch.id)
        assert [m["content"] for m in sent(provider)] == [
            "one", "You said: one", said, f"You said: {said}", "more",
        ]  # fmt: skip


async def test_a_branch_that_is_not_stored_leaves_no_trace(
    client: openai.AsyncOpenAI, provider: ScriptedProvider
) -> None:
    first = await client.responses.create(model="ok", input="one")
    await client.responses.create(
        model="ok", input="aside", previous_response_id=first.id, store=False
    )
    assert [m["content"] for m in sent(provider)] == ["one", "You said: one", "aside"]
    await client.responses.create(model="ok", input="two", previous_response_id=first.id)
    assert [m["content"] for m in sent(provider)] == ["one", "You said: one", "two"]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("stored", [False, True])
async def test_a_tool_round(
    client: openai.AsyncOpenAI, provider: ScriptedProvider, streamed: bool, stored: bool
) -> None:
    provider.script("ok", "tools", "echo")
    asked: dict[str, Any] = {"model": "ok", "tools": [WEATHER], "store": stored}
    if streamed:
        async with client.responses.stream(input="weather?", **asked) as stream:
            first = await stream.get_final_response()
    else:
        first = await client.responses.create(input="weather?", **asked)
    [call] = first.output
    assert call.type == "function_call"
    assert (call.name, call.arguments) == ("get_weather", '{"city": "Paris"}')
    result: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "rain"}
    if stored:
        await client.responses.create(input=[result], previous_response_id=first.id, **asked)
    else:
        said: Any = {"role": "user", "content": "weather?"}
        await client.responses.create(input=[said, *first.output, result], **asked)
    user, assistant, tool = sent(provider)
    assert user["content"] == "weather?"
    assert assistant["tool_calls"][0]["id"] == call.call_id
    assert tool == {"role": "tool", "tool_call_id": call.call_id, "content": "rain"}


async def test_a_reference_stands_for_its_item(
    client: openai.AsyncOpenAI, provider: ScriptedProvider
) -> None:
    first = await client.responses.create(model="ok", input="one")
    listed = await client.responses.input_items.list(first.id)
    asked: Any = [
        {"type": "item_reference", "id": listed.data[0].id},
        {"type": "item_reference", "id": first.output[0].id},
        {"role": "user", "content": "two"},
    ]
    await client.responses.create(model="ok", input=asked, store=False)
    assert [m["content"] for m in sent(provider)] == ["one", "You said: one", "two"]
    with pytest.raises(openai.BadRequestError) as error:
        await client.responses.create(
            model="ok", input=[{"type": "item_reference", "id": "msg_" + "0" * 48}]
        )
    assert error.value.param == "input[0].id"


async def test_a_deleted_response_is_gone_with_its_turn(
    client: openai.AsyncOpenAI, provider: ScriptedProvider
) -> None:
    first = await client.responses.create(model="ok", input="secret")
    second = await client.responses.create(model="ok", input="two", previous_response_id=first.id)
    await client.responses.delete(first.id)
    for call in (client.responses.retrieve, client.responses.delete):
        with pytest.raises(openai.NotFoundError):
            await call(first.id)
    await client.responses.create(model="ok", input="three", previous_response_id=second.id)
    assert [m["content"] for m in sent(provider)] == ["two", "You said: two", "three"]


async def test_a_stream_that_breaks_off_is_an_error_and_nothing_is_stored(
    client: openai.AsyncOpenAI, provider: ScriptedProvider
) -> None:
    provider.script("ok", *["cut-after-2"] * 4)
    stream = await client.responses.create(model="ok", input="hello", stream=True)
    seen: list[Any] = []
    try:
        async for event in stream:
            seen.append(event)  # noqa: PERF401 (those before the error are wanted)
    except openai.APIError as error:
        seen.append(error)
    assert isinstance(seen.pop(), openai.APIError)
    assert seen[0].type == "response.created"
    assert not any(event.type == "response.completed" for event in seen)
    with pytest.raises(openai.NotFoundError):
        await client.responses.retrieve(seen[0].response.id)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"conversation": "conv_1", "previous_response_id": "resp_1"}, "previous_response_id"),
        ({"temperature": 7}, "temperature"),
        ({"background": True, "store": False}, "store"),
    ],
)
async def test_what_cannot_be_is_refused(
    client: openai.AsyncOpenAI, fields: dict[str, Any], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as error:
        await client.responses.create(model="ok", input="hello", **fields)
    assert error.value.param == param


async def test_a_response_of_another_form_is_refused(client: openai.AsyncOpenAI) -> None:
    response = await client.responses.create(model="ok", input="hello")
    with pytest.raises(openai.BadRequestError):
        await client.responses.cancel(response.id)
    with pytest.raises(openai.BadRequestError):
        await client.responses.retrieve(response.id, stream=True)
    with pytest.raises(openai.NotFoundError):
        await client.responses.retrieve("resp_nobody")


@pytest.mark.parametrize("streamed", [False, True])
async def test_what_cannot_be_kept_is_not_said_to_be(
    open_flow: Open, provider: ScriptedProvider, streamed: bool
) -> None:
    nobody = "redis://127.0.0.1:1"
    args = {**able(provider), "redis": {"timeout_ms": 50}}
    async with open_flow(args, redis_url=nobody) as flow:
        address = f"http://127.0.0.1:{flow.port}/v1"
        async with openai.AsyncOpenAI(api_key="k", base_url=address, max_retries=0) as client:
            asked: Any = {"model": "ok", "input": "hello"}
            if streamed:
                async with client.responses.stream(**asked) as stream:
                    response: Any = await stream.get_final_response()
            else:
                raw = await client.responses.with_raw_response.create(**asked)
                assert raw.headers["x-serve-app-response"] == "not-kept"
                response = raw.parse()
            assert response.output_text == "You said: hello"
            assert response.to_dict()["store"] is False
            with pytest.raises(openai.InternalServerError) as error:
                await client.responses.retrieve(response.id)
            assert error.value.code == "session_store_unavailable"
            with pytest.raises(openai.InternalServerError):
                await client.responses.create(
                    model="ok", input="more", previous_response_id=response.id
                )


async def test_an_answer_that_is_too_long_to_be_kept(
    client: openai.AsyncOpenAI, provider: ScriptedProvider
) -> None:
    raw = await client.responses.with_raw_response.create(model="ok", input="x" * (1 << 20))
    response = raw.parse()
    assert response.to_dict()["store"] is False
    assert raw.headers["x-serve-app-response"] == "not-kept"
    with pytest.raises(openai.NotFoundError):
        await client.responses.retrieve(response.id)
