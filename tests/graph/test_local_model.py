"""The embedded model on vLLM behind its deployment: answers, streams, errors, cancellation,
and, in an application of its own, embeddings."""

from __future__ import annotations

import asyncio
import base64
import json
import tempfile
from array import array
from collections.abc import Iterator
from math import isclose
from typing import Any

import pytest
import ray
from local_model import MODEL, Client, chat, embedding, endless, said
from ray import serve

from serve_app.backends.base import Call
from serve_app.backends.local_vllm import LocalVLLM
from serve_app.config.model_args import ModelArgs
from serve_app.core.types import Chunk
from serve_app.deployments.model_app import build_model

pytestmark = [pytest.mark.model, pytest.mark.timeout(600)]

QUESTION = "What is the capital of France?"


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """A Ray of its own: no port is fixed, nothing is shared."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(prefix="sa-") as folder:
        patch.setenv("RAY_AUTH_MODE", "disabled")
        ray.init(num_cpus=2, include_dashboard=False, _temp_dir=folder, log_to_driver=False)
        try:
            serve.start(proxy_location="Disabled")
            yield
        finally:
            serve.shutdown()
            ray.shutdown()


def started(app: str, **args: Any) -> Client:
    settings = ModelArgs(kv_cache_gib=0.5, **args)
    serve.run(build_model(settings), name=app, route_prefix=None)
    return Client(serve.get_deployment_handle(settings.deployment, app))


@pytest.fixture(scope="module")
def model(cluster: None) -> Client:
    return started("model")


@pytest.fixture(scope="module")
def embedder(cluster: None) -> Client:
    return started("embedder", task="embed")


async def test_a_whole_answer_is_one_json_body(model: Client) -> None:
    answer = await model.json(chat(QUESTION))
    assert "Paris" in answer["choices"][0]["message"]["content"]
    assert (answer["id"], answer["model"]) == ("chatcmpl-req-1", MODEL)
    usage = answer["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 0


async def test_a_stream_says_the_same_in_pieces(model: Client) -> None:
    whole = await model.json(chat(QUESTION))
    body = chat(QUESTION, stream=True, stream_options={"include_usage": True})
    events = await model.events(body)
    assert said(events) == whole["choices"][0]["message"]["content"]
    assert events[-2]["choices"][0]["finish_reason"] == "stop"
    assert events[-1]["usage"] == {
        name: whole["usage"][name]
        for name in ("prompt_tokens", "completion_tokens", "total_tokens")
    }


async def test_the_first_piece_comes_before_the_answer_is_done(model: Client) -> None:
    async with model.open(endless(stream=True)) as pieces:
        first = await anext(pieces)
        assert first.startswith(b"data: {")
        assert (await model.health())["running"] == 1


async def test_eight_at_once_all_get_their_own_answer(model: Client) -> None:
    numbers = ["one", "two", "three", "four", "five", "six", "seven", "eight"]
    bodies = [chat(f"Tell me about the number {number}.", stream=True) for number in numbers]
    answers = await asyncio.gather(*(model.events(body) for body in bodies))
    texts = [said(events).lower() for events in answers]
    assert len(set(texts)) == 8
    # A small model does not always name its subject; mixed-up streams never would.
    assert sum(number in text for number, text in zip(numbers, texts, strict=True)) >= 4


async def test_more_than_run_at_once_wait_and_are_counted(model: Client) -> None:
    tasks = [asyncio.create_task(model.pieces(endless())) for _ in range(10)]
    try:
        await model.reaches(8)
        async with asyncio.timeout(60):
            while (await model.health())["waiting"] != 2:
                await asyncio.sleep(0.01)
            while not (load := await model.load()).kv_used:
                await asyncio.sleep(0.01)
        assert load.kv_used < 1
        assert load.waiting == 2
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    await model.reaches(0)


@pytest.mark.parametrize("stream", [True, False])
async def test_cancelling_stops_the_engine_s_work(model: Client, stream: bool) -> None:
    task = asyncio.create_task(model.pieces(endless(stream=stream)))
    await model.reaches(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # Far less than the minute and more that the answer would take.
    await model.reaches(0, limit_s=20)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"{no json", None),
        (b"[]", None),
        (b"\xff\xfe", None),
        (b'{"messages": []}', "messages"),
        (b'{"messages": "hello"}', "messages"),
        (chat("hi", temperature="hot"), "temperature"),
        (chat("hi", temperature=-1), "temperature"),
        (chat("hi", max_tokens=0), "max_tokens"),
        (chat("hi", top_p=7, stream=True), "top_p"),
    ],
)
async def test_a_bad_request_names_the_field(model: Client, body: bytes, param: str | None) -> None:
    error = (await model.json(body))["error"]
    assert (error["status"], error["code"]) == (400, "invalid_request")
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert "Traceback" not in error["message"]
    assert "(parameter=" not in error["message"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (chat("word " * 3000), "messages"),
        (chat("word " * 3000, stream=True), "messages"),
        (chat("x" * 100_000), "messages"),
        (chat("hi", max_tokens=100_000), "max_tokens"),
        (chat("hi", max_completion_tokens=100_000, max_tokens=None), "max_completion_tokens"),
    ],
)
async def test_what_does_not_fit_the_context_says_so(
    model: Client, body: bytes, param: str
) -> None:
    error = (await model.json(body))["error"]
    assert (error["status"], error["code"], error["param"]) == (
        400,
        "context_length_exceeded",
        param,
    )


async def test_another_model_s_name_is_not_found(model: Client) -> None:
    error = (await model.json(chat("hi", model="other")))["error"]
    assert (error["status"], error["code"], error["param"]) == (404, "model_not_found", "model")


async def test_an_answer_can_be_held_to_a_schema(model: Client) -> None:
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
    answer = await model.json(chat("Is the sky blue?", response_format=wanted, max_tokens=64))
    choice = answer["choices"][0]
    if choice["finish_reason"] == "stop":
        assert isinstance(json.loads(choice["message"]["content"])["ok"], bool)
    else:  # a small model may pad with blanks until its limit, but never leaves the schema
        assert choice["message"]["content"].lstrip().startswith("{")


async def test_history_with_tool_calls_and_parts_is_understood(model: Client) -> None:
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "Say hi."}]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "a", "content": "3"},
    ]
    answer = await model.json(chat("", messages=messages))
    assert answer["choices"][0]["message"]["role"] == "assistant"


async def test_health_is_well_and_idle(model: Client) -> None:
    await model.reaches(0)
    idle = {"ok": True, "running": 0, "waiting": 0, "kv_used": 0.0, "detail": ""}
    assert await model.health() == idle


# ------------------------------------------------------------------------- going on


def call(body: bytes, prefix: str = "", *, stream: bool = True) -> Call:
    return Call("local", MODEL, body, stream, "req-1", timeout_s=60, prefix=prefix)


async def text_of(backend: LocalVLLM, wanted: Call) -> str:
    texts = [
        choice.delta.content or ""
        async for batch in backend.run(wanted)
        for chunk in batch
        for choice in chunk.choices
    ]
    return "".join(texts)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("words", [1, 3, 5])
async def test_an_answer_is_gone_on_from_where_it_was_cut(
    model: Client, words: int, stream: bool
) -> None:
    backend, body = model.backend(), chat(QUESTION, stream=stream)
    whole = await text_of(backend, call(body, stream=stream))
    prefix = " ".join(whole.split(" ")[:words])
    assert whole.startswith(prefix)
    assert len(whole) > len(prefix)
    # One right answer: in a free one two words may be as good, and rounding decides.
    assert prefix + await text_of(backend, call(body, prefix, stream=stream)) == whole


# ----------------------------------------------------------------------- embeddings


async def test_texts_become_vectors_in_order(embedder: Client) -> None:
    texts = ["A cat sleeps on the sofa.", "A dog barks.", "The bond market fell."]
    answer = await embedder.embed(embedding(texts))
    assert (answer["object"], answer["model"], answer["id"]) == ("list", MODEL, "embd-req-1")
    assert [item["index"] for item in answer["data"]] == [0, 1, 2]
    vectors = [item["embedding"] for item in answer["data"]]
    assert {len(vector) for vector in vectors} == {576}
    assert all(isclose(sum(x * x for x in vector), 1.0, rel_tol=1e-3) for vector in vectors)
    assert answer["usage"]["prompt_tokens"] == answer["usage"]["total_tokens"] > 10
    alone = (await embedder.embed(embedding(texts[1])))["data"][0]["embedding"]
    assert alone == pytest.approx(vectors[1], abs=1e-3)


async def test_vectors_come_as_base64_if_asked_for(embedder: Client) -> None:
    plain = (await embedder.embed(embedding("hello")))["data"][0]["embedding"]
    packed = (await embedder.embed(embedding("hello", encoding_format="base64")))["data"][0]
    assert list(array("f", base64.b64decode(packed["embedding"]))) == pytest.approx(plain, abs=1e-5)


async def test_embeddings_reach_the_gateway_whole(embedder: Client) -> None:
    wanted = Call(
        "local", MODEL, embedding("hello"), False, "req-1", timeout_s=60, endpoint="embeddings"
    )
    [[chunk]] = [batch async for batch in embedder.backend().run(wanted)]
    assert isinstance(chunk, Chunk)
    assert (chunk.whole, chunk.choices) == (True, [])
    assert chunk.usage is not None
    assert chunk.usage.prompt_tokens > 0
    assert len(json.loads(chunk.raw)["data"][0]["embedding"]) == 576


@pytest.mark.parametrize(
    ("body", "status", "code", "param"),
    [
        (b"{no json", 400, "invalid_request", None),
        (b'{"model": "x"}', 400, "invalid_request", "input"),
        (embedding("word " * 3000), 400, "context_length_exceeded", "input"),
        (embedding("hi", model="other"), 404, "model_not_found", "model"),
        (embedding("hi", encoding_format="bytes"), 400, "invalid_request", "encoding_format"),
        (embedding("hi", dimensions=7), 400, "invalid_request", None),
    ],
)
async def test_what_cannot_be_embedded_is_refused(
    embedder: Client, body: bytes, status: int, code: str, param: str | None
) -> None:
    error = (await embedder.embed(body))["error"]
    assert (error["status"], error["code"], error["param"]) == (status, code, param)


async def test_a_model_does_what_it_was_started_for(model: Client, embedder: Client) -> None:
    for error in (
        (await embedder.json(chat("hi")))["error"],
        (await model.embed(embedding("hi")))["error"],
    ):
        assert (error["status"], error["code"], error["param"]) == (404, "model_not_found", "model")
        assert "embeddings" in error["message"]
