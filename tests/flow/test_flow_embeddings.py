"""`POST /v1/embeddings` through a whole house, asked by OpenAI's own client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from doors import able, post
from houses import Flow, Open, policy
from provider.fixtures import ScriptedProvider

WORDS = {"words": [{"name": "secret", "words": ["bluebird"], "action": "redact"}]}


def rules(**more: Any) -> Any:
    return policy(routing={"cheap": ["p/ok"], "embedding": ["p/vec"]}, **more)


@pytest.fixture
async def house(open_flow: Open, provider: ScriptedProvider) -> AsyncIterator[Flow]:
    args = able(provider)
    args["backends"][0]["models"].append({"id": "vec", "kind": "embedding", "context": 8000})
    async with open_flow(args, rules(filter=WORDS)) as flow:
        yield flow


async def test_vectors_come_back_as_the_provider_made_them(
    house: Flow, provider: ScriptedProvider
) -> None:
    async with openai.AsyncOpenAI(
        api_key="k", base_url=f"http://127.0.0.1:{house.port}/v1", max_retries=0
    ) as client:
        made = await client.embeddings.create(model="vec", input=["one", "two"], dimensions=4)
        alone = await client.embeddings.create(model="vec", input="two", dimensions=4)
    assert [len(item.embedding) for item in made.data] == [4, 4]
    assert alone.data[0].embedding == made.data[1].embedding
    assert made.usage.prompt_tokens == 2
    assert provider.log("vec")[0]["body"]["input"] == ["one", "two"]


async def test_auto_is_the_model_of_the_policy_and_the_cache_knows_it(
    house: Flow, provider: ScriptedProvider
) -> None:
    asked = {"model": "auto", "input": "one"}
    status, headers, first = await post(house, "/v1/embeddings", **asked)
    assert (status, headers["x-serve-app-model"]) == (200, "vec")
    _, headers, again = await post(house, "/v1/embeddings", **asked)
    assert headers["x-serve-app-cache"] in ("l1", "flight")
    assert again == first
    assert len(provider.log("vec")) == 1


async def test_rules_hold_for_every_text(house: Flow, provider: ScriptedProvider) -> None:
    status, _, _ = await post(house, "/v1/embeddings", model="vec", input=["the bluebird", "ok"])
    assert status == 200
    [entry] = provider.log("vec")
    assert "bluebird" not in str(entry["body"])
    assert len(entry["body"]["input"]) == 2


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"model": "vec", "input": [[1, 2]]}, 400, "invalid_request"),
        ({"model": "vec", "input": []}, 400, "invalid_request"),
        ({"model": "nowhere", "input": "one"}, 404, "model_not_found"),
        ({"model": "ok", "input": "one"}, 400, "capability_unsupported"),
    ],
)
async def test_what_cannot_be_embedded_is_refused(
    house: Flow, fields: dict[str, Any], status: int, code: str
) -> None:
    got, _, body = await post(house, "/v1/embeddings", **fields)
    assert (got, body["error"]["code"]) == (status, code)


async def test_a_model_for_embeddings_does_not_chat(house: Flow) -> None:
    status, _, body = await house.chat(model="vec")
    assert (status, body["error"]["code"]) == (400, "capability_unsupported")
