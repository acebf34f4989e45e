from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from backend_calls import call, collect, text_of
from msgspec import structs

from serve_app.backends.base import BUSY, UNSUPPORTED, AttemptFailed, Call, Health
from serve_app.backends.local_vllm import LocalVLLM
from serve_app.config.backend_settings import BackendTimeouts, LocalBackend, ModelSettings
from serve_app.core.trace import Trace
from serve_app.core.types import Chunk, Endpoint
from serve_app.core.vital import Queue

WORD = b'data: {"choices":[{"index":0,"delta":{"content":"word"}}]}\n\n'
STOP = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"
BODY = b'{"choices":[{"index":0,"message":{"content":"word"},"finish_reason":"stop"}]}'


class Engine:
    """A model at the end of a wire: says its lines, raises its exceptions, pauses at `...`."""

    def __init__(self, *lines: bytes | Exception | None) -> None:
        self._lines = lines
        self.paused = asyncio.Event()
        self.go_on = asyncio.Event()
        self.stopped = 0
        self.seen: list[tuple[bytes, str, str]] = []

    async def open(
        self, body: bytes, request_id: str, endpoint: Endpoint, trace: Trace | None
    ) -> AsyncGenerator[bytes, None]:
        self.seen.append((body, request_id, endpoint))
        try:
            for line in self._lines:
                if line is None:
                    self.paused.set()
                    await self.go_on.wait()
                elif isinstance(line, Exception):
                    raise line
                else:
                    yield line
        finally:
            self.stopped += 1

    async def health(self) -> Health:
        return Health(True, "up")


def local(
    engine: Engine,
    max_running: int = 4,
    max_waiting: int = 4,
    max_wait_s: float = 10.0,
    **timeouts: Any,
) -> LocalVLLM:
    settings = LocalBackend(
        name="local",
        kind="local",
        app="model",
        tokenizer="embedded",
        models=[ModelSettings(id="small", context=2048)],
        timeouts=BackendTimeouts(**timeouts),
        max_running=max_running,
        max_waiting=max_waiting,
        max_wait_s=max_wait_s,
    )
    return LocalVLLM(settings, engine)


async def fail(engine: Engine, *, stream: bool = True, **timeouts: Any) -> AttemptFailed:
    with pytest.raises(AttemptFailed) as caught:
        await collect(local(engine, **timeouts).run(call("small", stream=stream)))
    return caught.value


async def test_a_stream_arrives_in_the_pieces_of_the_wire() -> None:
    engine = Engine(WORD, b"", WORD + WORD[:9], WORD[9:] + STOP, DONE)
    batches = [batch async for batch in local(engine).run(call("small", stream=True))]
    assert [text_of(batch) for batch in batches] == ["word", "word", "word"]
    assert engine.stopped == 1


async def test_a_whole_answer_arrives() -> None:
    engine = Engine(BODY[:20], BODY[20:])
    [chunk] = await collect(local(engine).run(call("small")))
    assert chunk.whole
    assert (text_of([chunk]), chunk.raw) == ("word", BODY)


async def test_the_request_reaches_the_model_as_it_is() -> None:
    engine, asked = Engine(BODY), call("small")
    await collect(local(engine).run(asked))
    assert engine.seen == [(asked.body, "req-1", "chat")]


async def test_the_beginning_of_an_answer_is_handed_over_to_be_gone_on_from() -> None:
    engine = Engine(BODY)
    asked = structs.replace(call("small", top_p=0.5), prefix='He said "')
    await collect(local(engine).run(asked))
    sent, before = json.loads(engine.seen[0][0]), json.loads(asked.body)
    begun = {"role": "assistant", "content": 'He said "'}
    assert sent == before | {
        "messages": [*before["messages"], begun],
        "continue_final_message": True,
        "add_generation_prompt": False,
    }


@pytest.mark.parametrize("wanted", [b"null", b'{ "type": "text" }'])
async def test_plain_text_can_be_gone_on_from(wanted: bytes) -> None:
    engine = Engine(BODY)
    body = call("small").body[:-1] + b',"response_format":' + wanted + b"}"
    asked = structs.replace(call("small"), body=body, prefix="a")
    assert text_of(await collect(local(engine).run(asked))) == "word"


@pytest.mark.parametrize("kind", ["json_object", "json_schema"])
async def test_an_answer_that_follows_a_schema_is_not_gone_on_from(kind: str) -> None:
    engine = Engine(BODY)
    asked = structs.replace(call("small", response_format={"type": kind}), prefix='{"a')
    with pytest.raises(AttemptFailed) as caught:
        await collect(local(engine).run(asked))
    assert (caught.value.kind, caught.value.code) == ("candidate", UNSUPPORTED)
    assert engine.seen == []


async def test_embeddings_come_whole_as_the_model_made_them() -> None:
    body = (
        b'{"object":"list","model":"small","data":[{"index":0,"embedding":[0.5,1e-3]}],'
        b'"usage":{"prompt_tokens":3,"total_tokens":3}}'
    )
    engine = Engine(body[:30], body[30:])
    asked = structs.replace(call("small"), endpoint="embeddings")
    [chunk] = await collect(local(engine).run(asked))
    assert (chunk.whole, chunk.choices, chunk.model, chunk.raw) == (True, [], "small", body)
    assert chunk.usage is not None
    assert chunk.usage.prompt_tokens == 3
    assert engine.seen[0][2] == "embeddings"


@pytest.mark.parametrize(
    ("body", "kind", "code"),
    [
        (b'{"object":"list","data":[]}', "transient", "malformed"),
        (BODY, "transient", "malformed"),
        (b'{"data":[1],"model":"\xff"}', "transient", "malformed"),
        (b"", "transient", "malformed"),
        (
            b'{"error":{"message":"no","code":"model_not_found","status":404}}',
            "candidate",
            "model_not_found",
        ),
    ],
)
async def test_what_is_no_list_of_embeddings_is_a_failure(
    body: bytes, kind: str, code: str
) -> None:
    asked = structs.replace(call("small"), endpoint="embeddings")
    with pytest.raises(AttemptFailed) as caught:
        await collect(local(Engine(body)).run(asked))
    assert (caught.value.kind, caught.value.code) == (kind, code)


async def test_a_model_that_stops_in_the_middle_broke_off() -> None:
    failed = await fail(Engine(WORD))
    assert (failed.kind, failed.code) == ("transient", "truncated")


async def test_vllms_refusal_of_a_long_prompt_is_for_the_next_candidate() -> None:
    refusal = (
        b'{"error":{"message":"This model\'s maximum context length is 2048 tokens.",'
        b'"type":"BadRequestError","param":null,"code":400}}'
    )
    for failed in (
        await fail(Engine(refusal), stream=False),
        await fail(Engine(b"data: " + refusal + b"\n\n", DONE)),
    ):
        assert (failed.kind, failed.code) == ("candidate", "context_length_exceeded")


async def test_what_the_transport_says_is_passed_on() -> None:
    said = AttemptFailed("candidate", "the model is not running")
    assert await fail(Engine(said)) is said


async def test_any_other_exception_is_a_transient_failure() -> None:
    failed = await fail(Engine(WORD, OSError("10.0.0.7 is away")))
    assert failed.kind == "transient"
    assert "10.0.0.7" not in failed.message


@pytest.mark.parametrize(
    ("lines", "stream", "limits"),
    [
        ((None,), True, {"first_token_s": 0.05}),
        ((b": ping\n\n", None), True, {"first_token_s": 0.05}),
        ((WORD, None), True, {"idle_s": 0.05}),
        ((WORD, None), True, {"total_s": 0.05}),
        ((None,), False, {"total_s": 0.05}),
    ],
)
async def test_a_silent_model_is_given_up_and_stopped(
    lines: tuple[bytes | None, ...], stream: bool, limits: dict[str, Any]
) -> None:
    engine = Engine(*lines)
    failed = await fail(engine, stream=stream, **limits)
    assert (failed.kind, failed.code) == ("transient", "timeout")
    assert engine.stopped == 1


async def test_a_whole_answer_may_take_longer_than_a_first_token() -> None:
    engine = Engine(None, BODY)
    running = asyncio.create_task(collect(local(engine, first_token_s=0.01).run(call("small"))))
    await engine.paused.wait()
    await asyncio.sleep(0.05)  # longer than the limit that must not hold here
    engine.go_on.set()
    assert text_of(await running) == "word"


async def test_a_full_model_refuses_and_has_room_again_afterwards() -> None:
    engine = Engine(WORD, None, STOP, DONE)
    backend = local(engine, max_running=1, max_waiting=0)
    first = backend.run(call("small", stream=True))
    await anext(first)
    with pytest.raises(AttemptFailed) as caught:
        await collect(backend.run(call("small", stream=True)))
    assert (caught.value.kind, caught.value.code) == ("transient", BUSY)
    assert caught.value.retry_after_s is not None
    assert backend.queue() == Queue(1, {"interactive": 0, "batch": 0}, {("interactive", "full"): 1})
    engine.go_on.set()
    await collect(first)
    assert text_of(await collect(backend.run(call("small", stream=True)))) == "word"


async def waits(backend: LocalVLLM, asked: Call) -> asyncio.Task[list[Chunk]]:
    """A call that stands in the queue."""
    before = sum(backend.queue().waiting.values())
    task = asyncio.create_task(collect(backend.run(asked)))
    while sum(backend.queue().waiting.values()) == before:
        await asyncio.sleep(0)
    return task


async def test_a_call_waits_for_its_turn_by_its_class() -> None:
    engine = Engine(WORD, None, STOP, DONE)
    backend = local(engine, max_running=1)
    first = backend.run(call("small", stream=True))
    await anext(first)
    late = await waits(backend, structs.replace(call("small"), priority="batch", body=b"late"))
    soon = await waits(backend, structs.replace(call("small", stream=True), body=b"soon"))
    assert backend.queue().waiting == {"interactive": 1, "batch": 1}
    assert len(engine.seen) == 1
    engine.go_on.set()
    await collect(first)
    await asyncio.gather(soon, late, return_exceptions=True)  # the engine says no whole answers
    assert [body for body, _, _ in engine.seen[1:]] == [b"soon", b"late"]


async def test_waiting_is_not_silence() -> None:
    """The limits for a first token begin with the turn, the one for it all before."""
    engine = Engine(WORD, None, STOP, DONE)
    backend = local(engine, max_running=1, first_token_s=0.05)
    first = backend.run(call("small", stream=True))
    await anext(first)
    second = await waits(backend, call("small", stream=True))
    await asyncio.sleep(0.1)  # longer than the limit that must not hold here
    engine.go_on.set()
    await collect(first)
    assert text_of(await second) == "word"
    assert engine.stopped == 2


async def test_who_waited_in_vain_leaves_nothing_behind() -> None:
    engine = Engine(WORD, None, STOP, DONE)
    backend = local(engine, max_running=1, max_wait_s=0.02)
    first = backend.run(call("small", stream=True))
    await anext(first)
    with pytest.raises(AttemptFailed) as caught:
        await collect(backend.run(call("small")))
    assert caught.value.code == BUSY
    left = await waits(backend, call("small"))
    left.cancel()
    with pytest.raises(asyncio.CancelledError):
        await left
    await first.aclose()
    state = backend.queue()
    assert (state.running, set(state.waiting.values()), len(engine.seen)) == (0, {0}, 1)


async def test_closing_the_stream_stops_the_model_and_gives_its_place_back() -> None:
    engine = Engine(WORD, None)
    backend = local(engine, max_running=1)
    for _ in range(2):
        batches = backend.run(call("small", stream=True))
        await anext(batches)
        await batches.aclose()
    assert engine.stopped == 2


async def test_a_caller_that_is_cancelled_stops_the_model() -> None:
    engine = Engine(WORD, None)
    task = asyncio.create_task(collect(local(engine).run(call("small", stream=True))))
    await engine.paused.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert engine.stopped == 1


async def test_health_is_the_transports() -> None:
    assert await local(Engine()).health() == Health(True, "up")
