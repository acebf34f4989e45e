"""What is kept of a reply, and that it comes back as it was, in either shape."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from serve_app.core.kept import Entry
from serve_app.core.types import Chunk, Usage
from serve_app.flights.base import Outcome
from serve_app.steps.record import Record
from serve_app.steps.replay import Life, entry_from, replayed, replayed_whole
from serve_app.steps.tally import Tally


def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> Chunk:
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    raw = json.dumps({"id": "c", "model": "m", "created": 1, "choices": choices, **more}).encode()
    made = msgspec.json.decode(raw, type=Chunk)
    made.raw = raw
    return made


STREAM = [
    chunk({"role": "assistant", "content": ""}),
    chunk({"reasoning_content": "hm"}),
    chunk({"content": "Par"}),
    chunk({"content": "is"}),
    chunk({}, "stop"),
]
USAGE = Usage(prompt_tokens=3, completion_tokens=2, total_tokens=5)


def recorded(chunks: list[Chunk], max_bytes: int = 1 << 20) -> Record:
    record = Record(max_bytes)
    record.add(chunks)
    return record


def entry(record: Record) -> Entry:
    outcome = Outcome("b", "m", 1, prompt_tokens=3, completion_tokens=2, cost_micro_usd=7)
    return entry_from(record, outcome, Life(100.0, 150.0))


async def events(stored: Entry, *, with_usage: bool = False) -> list[Chunk]:
    return [c async for batch in replayed(stored, with_usage=with_usage) for c in batch]


async def test_a_stream_comes_back_event_for_event() -> None:
    stored = entry(recorded(STREAM))
    assert [c.raw for c in await events(stored)] == [c.raw for c in STREAM]
    assert (stored.stored_at, stored.expires_at) == (100.0, 150.0)


async def test_the_usage_event_comes_only_where_it_is_asked_for() -> None:
    usage = chunk({}, usage={"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5})
    usage.choices = []
    stored = entry(recorded([*STREAM, usage]))
    assert all(c.usage is None for c in await events(stored))
    last = (await events(stored, with_usage=True))[-1]
    assert last.usage is not None
    assert last.usage.total_tokens == 5


async def test_a_stream_comes_back_as_a_body() -> None:
    body = json.loads(replayed_whole(entry(recorded(STREAM))).raw)
    assert body["choices"][0]["message"] == {
        "role": "assistant", "content": "Paris", "reasoning_content": "hm",
    }  # fmt: skip
    assert body["usage"]["total_tokens"] == 5


async def test_a_body_comes_back_as_it_was_and_as_a_stream() -> None:
    message = {"role": "assistant", "content": "Paris"}
    body = {"id": "c", "model": "m", "choices": [{"index": 0, "message": message,
            "finish_reason": "stop"}], "vendor": 1}  # fmt: skip
    whole = chunk({"role": "assistant", "content": "Paris"}, "stop")
    whole.raw, whole.whole = json.dumps(body).encode(), True
    stored = entry(recorded([whole]))
    assert replayed_whole(stored).raw == whole.raw
    streamed = await events(stored)
    assert "".join(c.choices[0].delta.content or "" for c in streamed) == "Paris"
    assert streamed[-1].choices[0].finish_reason == "stop"


async def test_log_probabilities_come_back_as_they_were_in_either_shape() -> None:
    def likely(token: str) -> dict[str, Any]:
        return {"content": [{"token": token, "logprob": -0.25, "bytes": [80], "top_logprobs": []}]}

    stream = [chunk({"role": "assistant", "content": ""})]
    for token in ("Par", "is"):
        said = {"index": 0, "delta": {"content": token}, "finish_reason": None}
        raw = json.dumps({"id": "c", "choices": [{**said, "logprobs": likely(token)}]}).encode()
        stream.append(msgspec.json.decode(raw, type=Chunk))
        stream[-1].raw = raw
    stored = entry(recorded([*stream, chunk({}, "stop")]))
    assert [c.raw for c in await events(stored)][1:3] == [c.raw for c in stream[1:]]
    [choice] = json.loads(replayed_whole(stored).raw)["choices"]
    assert choice["logprobs"]["content"] == likely("Par")["content"] + likely("is")["content"]


def test_a_reply_without_an_end_is_not_complete() -> None:
    assert recorded(STREAM).is_complete
    assert not recorded(STREAM[:-1]).is_complete
    assert not recorded([]).is_complete


@pytest.mark.parametrize(
    ("finish", "complete", "by_limit"),
    [("stop", True, True), ("tool_calls", True, True), ("length", False, True),
     ("content_filter", False, False)],
)  # fmt: skip
def test_the_way_a_reply_ended_decides(finish: str, complete: bool, by_limit: bool) -> None:
    record = recorded([*STREAM[:-1], chunk({}, finish)])
    assert (record.is_complete, record.ended_by_limit()) == (complete, by_limit)


def test_a_long_reply_is_counted_but_not_kept() -> None:
    chunks = [chunk({"content": "x" * 100}) for _ in range(50)]
    assert not recorded(chunks, max_bytes=1000).is_kept
    tally = Tally()
    tally.add(chunks)
    assert tally.tokens(len) == 5000


def test_usage_is_billed_as_the_backend_counted_it_and_malformed_events_are_known() -> None:
    tally = Tally()
    tally.add([*STREAM, Chunk(usage=USAGE, skipped=2)])
    assert (tally.usage, tally.skipped) == (USAGE, 2)


async def test_a_body_says_that_it_came_out_of_the_cache() -> None:
    whole = chunk({"role": "assistant", "content": "Paris"}, "stop")
    body = {"id": "c", "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5,
            "prompt_tokens_details": {"audio_tokens": 0}}}  # fmt: skip
    whole.raw, whole.whole = json.dumps(body).encode(), True
    served = json.loads(replayed_whole(entry(recorded([whole]))).raw)
    assert served["usage"] == {
        "prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5, "cached": True,
        "prompt_tokens_details": {"audio_tokens": 0, "cached_tokens": 3},
    }  # fmt: skip
