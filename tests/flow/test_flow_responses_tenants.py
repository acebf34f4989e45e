"""Stored responses and conversations are their tenant's, and what is told passes the filters."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import openai
import pytest
from doors import able
from houses import Flow, Open, policy
from provider.fixtures import ScriptedProvider

KEYS = {"acme": "sk-acme", "umbra": "sk-umbra"}
ADDRESS = "ann@example.com"
HIDE = {
    "kind": "pii", "name": "hide", "replace": "reversible",
    "where": ["input", "system", "history", "tool_results", "tool_arguments"],
}  # fmt: skip
STOP = {"kind": "words", "name": "secret", "words": ["code word"], "where": ["output"]}


@asynccontextmanager
async def asking(flow: Flow, key: str = "k") -> AsyncIterator[openai.AsyncOpenAI]:
    address = f"http://127.0.0.1:{flow.port}/v1"
    async with openai.AsyncOpenAI(api_key=key, base_url=address, max_retries=0) as client:
        yield client


async def test_no_tenant_sees_what_is_anothers(open_flow: Open, provider: ScriptedProvider) -> None:
    keys = [
        {"sha256": hashlib.sha256(key.encode()).hexdigest(), "tenant": tenant}
        for tenant, key in KEYS.items()
    ]
    rules = policy(admission={"keys": keys})
    async with (
        open_flow(able(provider), rules) as flow,
        asking(flow, KEYS["acme"]) as acme,
        asking(flow, KEYS["umbra"]) as umbra,
    ):
        conversation = (await acme.conversations.create()).id
        own = await acme.responses.create(model="ok", input="a", conversation=conversation)
        queued = await acme.responses.create(model="ok", input="a", background=True)
        reference: Any = [{"type": "item_reference", "id": own.output[0].id}]
        tries: list[Any] = [
            umbra.responses.retrieve(own.id),
            umbra.responses.delete(own.id),
            umbra.responses.cancel(queued.id),
            umbra.responses.retrieve(queued.id, stream=True),
            umbra.responses.input_items.list(own.id),
            umbra.responses.create(model="ok", input="b", previous_response_id=own.id),
            umbra.responses.create(model="ok", input="b", conversation=conversation),
            umbra.conversations.retrieve(conversation),
            umbra.conversations.update(conversation, metadata={}),
            umbra.conversations.delete(conversation),
            umbra.conversations.items.list(conversation),
            umbra.conversations.items.retrieve("msg_0_0", conversation_id=conversation),
            umbra.conversations.items.delete("msg_0_0", conversation_id=conversation),
        ]
        for one in tries:
            with pytest.raises(openai.NotFoundError):
                await one
        with pytest.raises(openai.BadRequestError):
            await umbra.responses.create(model="ok", input=reference)
        assert (await acme.responses.retrieve(own.id)).output_text == "You said: a"
    async with open_flow(able(provider), rules) as flow, asking(flow, "sk-nobody") as nobody:
        with pytest.raises(openai.AuthenticationError):
            await nobody.responses.retrieve(own.id)


@pytest.mark.parametrize("streamed", [False, True])
async def test_what_is_hidden_from_the_provider_comes_back(
    open_flow: Open, provider: ScriptedProvider, streamed: bool
) -> None:
    rules = policy(filter={"injection": "off", "rules": [HIDE]})
    async with open_flow(able(provider), rules) as flow, asking(flow) as client:
        asked: Any = {"model": "ok", "input": f"write to {ADDRESS}"}
        if streamed:
            async with client.responses.stream(**asked) as stream:
                deltas = [e.delta async for e in stream if e.type.endswith("text.delta")]
                response = await stream.get_final_response()
            assert "".join(deltas) == f"You said: write to {ADDRESS}"
        else:
            response = await client.responses.create(**asked)
        assert response.output_text == f"You said: write to {ADDRESS}"
    assert ADDRESS not in str(provider.log("ok")[-1]["body"])


async def test_items_are_filtered_like_questions(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    no = {"kind": "words", "name": "no", "words": ["forbidden"], "where": ["input"]}
    rules = policy(filter={"injection": "off", "rules": [HIDE, no]})
    async with open_flow(able(provider), rules) as flow, asking(flow) as client:
        item: Any = {"role": "user", "content": f"I am {ADDRESS}"}
        conversation = (await client.conversations.create(items=[item])).id
        await client.responses.create(model="ok", input="hi", conversation=conversation)
        assert ADDRESS not in str(provider.log("ok")[-1]["body"])
        bad: Any = {"role": "user", "content": "forbidden"}
        with pytest.raises(openai.PermissionDeniedError):
            await client.conversations.items.create(conversation, items=[bad])
        with pytest.raises(openai.PermissionDeniedError):
            await client.conversations.create(items=[bad])


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_answer_that_a_rule_stops_is_incomplete(
    open_flow: Open, provider: ScriptedProvider, streamed: bool
) -> None:
    rules = policy(filter={"injection": "off", "rules": [STOP]})
    async with open_flow(able(provider), rules) as flow, asking(flow) as client:
        asked: Any = {"model": "ok", "input": "it is the code word xyzzy."}
        if streamed:
            stream = await client.responses.create(**asked, stream=True)
            events: list[Any] = [event async for event in stream]
            assert events[-1].type == "response.incomplete"
            response = events[-1].response
        else:
            response = await client.responses.create(**asked)
        assert response.status == "incomplete"
        assert response.incomplete_details.reason == "content_filter"
        assert "code word" not in response.output_text
