"""Background responses through a whole house with a worker, asked by OpenAI's own client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from doors import able
from houses import Flow, Open
from provider.fixtures import ScriptedProvider

LIMIT_S = 20.0
ENDS = ("completed", "failed", "cancelled", "incomplete")


@pytest.fixture
async def house(open_flow: Open, provider: ScriptedProvider) -> AsyncIterator[Flow]:
    async with open_flow(able(provider)) as flow:
        yield flow


@pytest.fixture
async def client(house: Flow) -> AsyncIterator[openai.AsyncOpenAI]:
    address = f"http://127.0.0.1:{house.port}/v1"
    async with openai.AsyncOpenAI(api_key="k", base_url=address, max_retries=0) as client:
        yield client


async def ended(client: openai.AsyncOpenAI, response_id: str, *ends: str) -> Any:
    """The response once it is over, or as one of these."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            response = await client.responses.retrieve(response_id)
            if response.status in (ends or ENDS):
                return response
            assert response.status in ("queued", "in_progress")
            await asyncio.sleep(0.05)


async def test_a_background_response(
    client: openai.AsyncOpenAI, provider: ScriptedProvider
) -> None:
    queued = await client.responses.create(model="ok", input="one", background=True)
    assert (queued.status, queued.output, queued.background) == ("queued", [], True)
    done = await ended(client, queued.id)
    assert (done.id, done.status, done.output_text) == (queued.id, "completed", "You said: one")
    # It is continued like any other.
    await client.responses.create(model="ok", input="two", previous_response_id=queued.id)
    messages = provider.log("ok")[-1]["body"]["messages"]
    assert [m["content"] for m in messages] == ["one", "You said: one", "two"]


async def test_a_followed_background_response(client: openai.AsyncOpenAI) -> None:
    stream = await client.responses.create(model="ok", input="hello", background=True, stream=True)
    events = [event async for event in stream]
    assert [event.type for event in events[:3]] == [
        "response.created", "response.queued", "response.in_progress",
    ]  # fmt: skip
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[-1].type == "response.completed"
    final = events[-1].response
    assert final.output_text == "You said: hello"
    assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == (
        "You said: hello"
    )
    middle = len(events) // 2
    rest = await client.responses.retrieve(final.id, stream=True, starting_after=middle)
    assert [event async for event in rest] == events[middle + 1 :]
    assert (await client.responses.retrieve(final.id)) == final


async def test_a_background_response_is_cancelled(
    client: openai.AsyncOpenAI, provider: ScriptedProvider
) -> None:
    provider.script("ok", "drip-200ms")
    queued = await client.responses.create(
        model="ok", input="a b c d e f g h i j k l m n o p", background=True
    )
    await ended(client, queued.id, "in_progress")
    cancelled = await client.responses.cancel(queued.id)
    assert cancelled.status == "cancelled"
    again = await client.responses.cancel(queued.id)
    assert again.status == "cancelled"
    assert (await client.responses.retrieve(queued.id)).status == "cancelled"
    stream = await client.responses.retrieve(queued.id, stream=True)
    events = [event async for event in stream]
    assert events[-1].type == "response.failed"
    assert events[-1].response.status == "cancelled"
    with pytest.raises(openai.BadRequestError):
        await client.responses.create(model="ok", input="x", previous_response_id=queued.id)


async def test_one_that_is_over_is_not_cancelled(client: openai.AsyncOpenAI) -> None:
    queued = await client.responses.create(model="ok", input="hello", background=True)
    await ended(client, queued.id)
    assert (await client.responses.cancel(queued.id)).status == "completed"


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_background_response_that_cannot_be_made_fails(
    client: openai.AsyncOpenAI, streamed: bool
) -> None:
    made: Any = await client.responses.create(
        model="nobody", input="hello", background=True, stream=streamed
    )
    queued = (await anext(made)).response if streamed else made
    failed = await ended(client, queued.id)
    assert failed.status == "failed"
    assert failed.error is not None
    assert "nobody" in failed.error.message
    stream = await client.responses.retrieve(queued.id, stream=True)
    seen: list[Any] = []
    try:
        async for event in stream:
            seen.append(event)  # noqa: PERF401 (those before the error are wanted)
    except openai.APIError as error:
        seen.append(error)
    assert isinstance(seen.pop(), openai.APIError)


async def test_a_second_try_tells_only_its_end(
    client: openai.AsyncOpenAI, provider: ScriptedProvider
) -> None:
    provider.script("ok", "cut-after-2", *["status-503"] * 3, "ok")
    stream = await client.responses.create(
        model="ok", input="hello there you", background=True, stream=True
    )
    events = [event async for event in stream]
    numbers = [event.sequence_number for event in events]
    assert numbers == sorted(set(numbers))
    assert numbers[-2] < 1_000_000 < numbers[-1]
    assert "response.output_text.delta" in [event.type for event in events]
    assert events[-1].type == "response.completed"
    assert events[-1].response.output_text == "You said: hello there you"


async def test_a_deleted_background_response_is_never_made(
    client: openai.AsyncOpenAI, house: Flow, provider: ScriptedProvider
) -> None:
    provider.script("ok", "drip-200ms")
    queued = await client.responses.create(
        model="ok", input="a b c d e f g h i j k l", background=True
    )
    await ended(client, queued.id, "in_progress")
    await client.responses.delete(queued.id)
    with pytest.raises(openai.NotFoundError):
        await client.responses.retrieve(queued.id)
    async with house.http.get(f"/agent/result/task_{queued.id[5:29]}") as answer:
        assert answer.status == 404


async def test_the_same_key_means_the_same_response(client: openai.AsyncOpenAI) -> None:
    key = {"Idempotency-Key": "once"}
    first, second = [
        await client.responses.create(model="ok", input="hello", background=True, extra_headers=key)
        for _ in range(2)
    ]
    assert first.id == second.id
    with pytest.raises(openai.ConflictError):
        await client.responses.create(model="ok", input="other", background=True, extra_headers=key)
    assert (await ended(client, first.id)).status == "completed"


async def test_a_task_at_the_path_of_responses_keeps_what_it_is_told_to(
    client: openai.AsyncOpenAI, house: Flow
) -> None:
    for stored in (True, False):
        body = {"model": "ok", "input": "hello", **({"store": True} if stored else {})}
        task = {"path": "/v1/responses", "body": body}
        async with house.http.post("/v1/tasks", json=task) as answer:
            task_id = (await answer.json())["task_id"]
        address = f"/agent/result/{task_id}?wait_s=20"
        async with house.http.get(address) as answer:
            done = await answer.json()
        response = done["result"]
        assert response["output"][0]["content"][0]["text"] == "You said: hello"
        assert response["store"] is stored
        if stored:
            await client.responses.retrieve(response["id"])
        else:
            with pytest.raises(openai.NotFoundError):
                await client.responses.retrieve(response["id"])
