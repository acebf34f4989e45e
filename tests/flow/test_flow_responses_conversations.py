"""`/v1/conversations` through a whole house, asked by OpenAI's own client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from doors import able
from houses import Flow, Open
from provider.fixtures import ScriptedProvider

WEATHER: Any = {"type": "function", "name": "get_weather", "parameters": {"type": "object"}}


@pytest.fixture
async def house(open_flow: Open, provider: ScriptedProvider) -> AsyncIterator[Flow]:
    async with open_flow(able(provider)) as flow:
        yield flow


@pytest.fixture
async def client(house: Flow) -> AsyncIterator[openai.AsyncOpenAI]:
    address = f"http://127.0.0.1:{house.port}/v1"
    async with openai.AsyncOpenAI(api_key="k", base_url=address, max_retries=0) as client:
        yield client


def user(text: str) -> Any:
    return {"type": "message", "role": "user", "content": text}


async def texts(client: openai.AsyncOpenAI, conversation: str, **page: Any) -> list[str]:
    """What all items say, page after page."""
    items = client.conversations.items.list(conversation, **page)
    return [item.content[0].text async for item in items if item.type == "message"]  # type: ignore[union-attr]


async def test_a_conversation_is_made_noted_on_and_deleted(client: openai.AsyncOpenAI) -> None:
    made = await client.conversations.create(metadata={"topic": "a"})
    assert made.id.startswith("conv_")
    assert made.metadata == {"topic": "a"}
    assert await client.conversations.retrieve(made.id) == made
    changed = await client.conversations.update(made.id, metadata={"topic": "b"})
    assert (changed.metadata, changed.created_at) == ({"topic": "b"}, made.created_at)
    assert (await client.conversations.delete(made.id)).deleted
    for call in (client.conversations.retrieve, client.conversations.delete):
        with pytest.raises(openai.NotFoundError):
            await call(made.id)
    with pytest.raises(openai.NotFoundError) as error:
        await client.responses.create(model="ok", input="x", conversation=made.id)
    assert error.value.param == "conversation"


async def test_responses_speak_in_a_conversation(
    client: openai.AsyncOpenAI, provider: ScriptedProvider
) -> None:
    conversation = (await client.conversations.create(items=[user("I am Ann")])).id
    first = await client.responses.create(model="ok", input="one", conversation=conversation)
    assert first.conversation is not None
    assert first.conversation.id == conversation
    async with client.responses.stream(
        model="ok", input="two", conversation={"id": conversation}, instructions="be brief"
    ) as stream:
        await stream.get_final_response()
    messages = provider.log("ok")[-1]["body"]["messages"]
    assert [m["content"] for m in messages] == [
        "be brief", "I am Ann", "one", "You said: one", "two",
    ]  # fmt: skip
    said = ["I am Ann", "one", "You said: one", "two", "You said: two"]
    assert await texts(client, conversation, order="asc") == said
    assert await texts(client, conversation) == said[::-1]
    assert await texts(client, conversation, limit=2) == said[::-1]
    aside = await client.responses.create(
        model="ok", input="aside", conversation=conversation, store=False
    )
    assert aside.output_text == "You said: aside"
    assert await texts(client, conversation, order="asc") == said


async def test_items_are_added_found_and_deleted(
    client: openai.AsyncOpenAI, provider: ScriptedProvider
) -> None:
    conversation = (await client.conversations.create()).id
    calls: Any = [
        {"type": "function_call", "call_id": f"c{n}", "name": "get_weather", "arguments": "{}"}
        for n in (1, 2)
    ]
    results: Any = [
        {"type": "function_call_output", "call_id": f"c{n}", "output": "rain"} for n in (1, 2)
    ]
    added = await client.conversations.items.create(
        conversation,
        items=[
            user("weather?"),
            {"type": "message", "role": "assistant", "content": "Let me see."},
            *calls,
            *results,
        ],
    )
    ids = [item.id for item in added.data]
    assert [item.type for item in added.data] == [
        "message", "message", "function_call", "function_call",
        "function_call_output", "function_call_output",
    ]  # fmt: skip
    # One message to the model, three items to callers: each page ends where it should.
    for limit in (1, 2, 4):
        items = client.conversations.items.list(conversation, order="asc", limit=limit)
        assert [item.id async for item in items] == ids
        newest = client.conversations.items.list(conversation, limit=limit)
        assert [item.id async for item in newest] == ids[::-1]
    call = await client.conversations.items.retrieve(ids[2], conversation_id=conversation)
    assert call.to_dict()["call_id"] == "c1"
    await client.conversations.items.delete(ids[2], conversation_id=conversation)
    await client.conversations.items.delete(ids[4], conversation_id=conversation)
    with pytest.raises(openai.NotFoundError):
        await client.conversations.items.retrieve(ids[2], conversation_id=conversation)
    listed = client.conversations.items.list(conversation, order="asc")
    assert [item.id async for item in listed] == [ids[0], ids[1], ids[3], ids[5]]
    await client.responses.create(
        model="ok", input="well?", conversation=conversation, tools=[WEATHER]
    )
    asked, said, result, now = provider.log("ok")[-1]["body"]["messages"]
    assert (asked["content"], said["content"], now["content"]) == (
        "weather?", "Let me see.", "well?"
    )  # fmt: skip
    assert [call["id"] for call in said["tool_calls"]] == ["c2"]
    assert result["tool_call_id"] == "c2"


async def test_a_conversation_is_exported(client: openai.AsyncOpenAI, house: Flow) -> None:
    made = await client.conversations.create(metadata={"a": "b"}, items=[user("one")])
    await client.responses.create(model="ok", input="two", conversation=made.id)
    async with house.http.get(f"/v1/conversations/{made.id}/export") as answer:
        exported = await answer.json()
    assert exported["metadata"] == {"a": "b"}
    assert exported["turns"] == 2
    said = [item["content"][0]["text"] for item in exported["items"]]
    assert said == ["one", "two", "You said: two"]


async def test_a_deleted_conversation_takes_its_responses_along(
    client: openai.AsyncOpenAI,
) -> None:
    conversation = (await client.conversations.create()).id
    response = await client.responses.create(model="ok", input="a", conversation=conversation)
    await client.conversations.delete(conversation)
    with pytest.raises(openai.NotFoundError):
        await client.responses.retrieve(response.id)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"metadata": {"a": 1}}, "metadata[...]"),
        ({"items": [{"role": "nobody", "content": "x"}]}, "items[0].role"),
        ({"items": [{"type": "web_search_call"}]}, "items[0].type"),
        ({"items": [user("x")] * 101}, "items"),
    ],
)
async def test_what_cannot_be_kept_is_refused(house: Flow, body: Any, param: str) -> None:
    async with house.http.post("/v1/conversations", json=body) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"]["param"] == param


async def test_wrong_pages_are_refused(client: openai.AsyncOpenAI) -> None:
    conversation = (await client.conversations.create()).id
    wrong: Any
    for wrong in ({"limit": 0}, {"limit": 101}, {"order": "odd"}, {"after": "nobody"}):
        with pytest.raises(openai.BadRequestError):
            await client.conversations.items.list(conversation, **wrong)
    assert await texts(client, conversation, after="msg_9_9") == []
