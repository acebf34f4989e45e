"""What response headers tell of an answer, and how its paths and methods are refused."""

from __future__ import annotations

import pytest
from doors import post
from houses import Flow
from provider.fixtures import ScriptedProvider

HELLO = [{"role": "user", "content": "hello"}]

WORK = [
    "/v1/chat/completions", "/v1/messages", "/v1/messages/count_tokens", "/v1/completions",
    "/v1/embeddings", "/v1/route", "/agent/chat",
]  # fmt: skip


async def test_attempts_are_told_if_there_was_more_than_one(
    flow: Flow, provider: ScriptedProvider
) -> None:
    provider.script("ok", "status-500", "ok")
    _, headers, _ = await flow.chat("first")
    assert headers["x-serve-app-attempts"] == "2"
    _, headers, _ = await flow.chat("second")
    assert "x-serve-app-attempts" not in headers
    _, headers, _ = await flow.chat("first")
    assert headers["x-serve-app-cache"] in ("l1", "flight")
    assert "x-serve-app-attempts" not in headers


@pytest.mark.parametrize("path", WORK)
async def test_work_is_posted(flow: Flow, path: str) -> None:
    async with flow.http.get(path) as answer:
        assert answer.status == 405
        assert "POST" in (await answer.json())["error"]["message"]
    status, _, body = await post(flow, path)
    assert status == 400, "an empty object is no request anywhere"
    assert "error" in body


async def test_an_unknown_path_names_those_there_are(flow: Flow) -> None:
    status, _, body = await post(flow, "/v1/nothing")
    assert status == 404
    for path in [*WORK, "/v1/models", "/health/readiness", "/metrics"]:
        assert path in body["error"]["message"]


async def test_models_are_listed_in_either_shape(flow: Flow) -> None:
    async with flow.http.get("/v1/models") as answer:
        body = await answer.json()
    assert body["object"] == "list"
    async with flow.http.get("/v1/models", headers={"anthropic-version": "2023-06-01"}) as answer:
        page = await answer.json()
    assert [model["id"] for model in page["data"]] == [model["id"] for model in body["data"]]
    assert {model["type"] for model in page["data"]} == {"model"}
