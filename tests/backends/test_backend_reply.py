from __future__ import annotations

from collections.abc import Iterator

import pytest

from serve_app.backends.base import AttemptFailed
from serve_app.backends.dialects.openai import OpenAIDecoder
from serve_app.backends.dialects.openai_reply import decode_chunk, decode_whole
from serve_app.backends.dialects.unstreamed import as_stream
from serve_app.backends.reply import LAST_EVENTS_S, MAX_SKIPPED, ReplyStream
from serve_app.core.types import Chunk

HELLO = b'{"id":"a","choices":[{"index":0,"delta":{"content":"hi"}}]}'
STOP = b'{"id":"a","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}'


class Network:
    """Pieces of a stream, and what the reader said about its patience."""

    def __init__(self, *pieces: bytes | AttemptFailed) -> None:
        self._pieces: Iterator[bytes | AttemptFailed] = iter(pieces)
        self.events: list[str] = []
        self.limits: list[float | None] = []

    async def read(self) -> bytes:
        piece = next(self._pieces, b"")
        if isinstance(piece, AttemptFailed):
            raise piece
        return piece

    def hold(self) -> None:
        self.events.append("hold")

    def resume(self, at_most_s: float | None = None) -> None:
        self.events.append("resume")
        self.limits.append(at_most_s)


def events(*payloads: bytes) -> bytes:
    return b"".join(b"data: " + p + b"\n\n" for p in payloads)


async def read_all(network: Network, choices: int = 1) -> list[list[Chunk]]:
    reply = ReplyStream(OpenAIDecoder(), choices)
    batches = []
    while batch := await reply.next(network):
        batches.append(batch)
    return batches


# ------------------------------------------------------------------- one chunk


def test_a_chunk_keeps_its_bytes() -> None:
    chunk = decode_chunk(HELLO)
    assert chunk.raw == HELLO
    assert chunk.choices[0].delta.content == "hi"
    assert not chunk.whole


def test_a_provider_cannot_set_our_own_fields() -> None:
    chunk = decode_chunk(
        b'{"choices":[{"delta":{}}],"serve_app.whole":true,"serve_app.raw":"eA=="}'
    )
    assert not chunk.whole
    assert chunk.raw.startswith(b"{")


def test_a_line_feed_between_tokens_does_not_reach_the_framing() -> None:
    chunk = decode_chunk(HELLO.replace(b",", b",\n"))
    assert b"\n" not in chunk.raw
    assert chunk.choices[0].delta.content == "hi"


@pytest.mark.parametrize(
    "payload",
    [
        b'{"id":null,"model":null,"choices":[{"index":0,"delta":{"content":"hi"}}]}',
        b'{"created":1.7e9,"choices":[{"index":0,"delta":{"content":"hi"}}]}',
        b'{"choices":[{"index":null,"delta":{"content":"hi","tool_calls":null}}]}',
    ],
)
def test_nulls_and_floats_where_openai_has_none_are_accepted(payload: bytes) -> None:
    chunk = decode_chunk(payload)
    assert chunk.choices[0].delta.content == "hi"
    assert chunk.raw == payload


@pytest.mark.parametrize(
    "payload",
    [
        b"{",
        b"[]",
        b'"hi"',
        b"hello",
        b'{"choices":[{"delta":{"content":7}}]}',
        b'{"choices":[{"delta":{"content":"\xff"}}]}',
        b'{"unknown":"\xff","choices":[{"delta":{}}]}',
    ],
)
def test_what_is_no_chunk_is_a_transient_failure(payload: bytes) -> None:
    with pytest.raises(AttemptFailed) as caught:
        decode_chunk(payload)
    assert caught.value.kind == "transient"
    assert caught.value.code == "malformed"


@pytest.mark.parametrize(
    ("payload", "kind", "status"),
    [
        (b'{"error":{"message":"boom","type":"server_error"}}', "transient", 500),
        (b'{"error":"boom"}', "transient", 500),
        (b'{"error":{"message":"slow down","code":"rate_limit_exceeded"}}', "transient", 429),
        (b'{"id":null,"error":{"message":"no","code":404}}', "caller", 404),
        (b'{"error":{"message":"no","type":"BadRequestError","code":400}}', "caller", 400),
        (
            b'{"error":{"message":"down","code":502},"choices":[{"finish_reason":"error"}]}',
            "transient",
            502,
        ),
    ],
)
def test_an_error_object_is_a_failure_by_its_code(payload: bytes, kind: str, status: int) -> None:
    with pytest.raises(AttemptFailed) as caught:
        decode_chunk(payload)
    assert (caught.value.kind, caught.value.status) == (kind, status)


def test_text_about_an_error_is_no_error() -> None:
    chunk = decode_chunk(b'{"choices":[{"delta":{"content":"\\"error\\": {}"}}]}')
    assert chunk.choices[0].delta.content == '"error": {}'


def test_a_null_error_beside_usage_is_no_error() -> None:
    chunk = decode_chunk(b'{"choices":[],"error":null,"usage":{"total_tokens":3}}')
    assert chunk.usage is not None
    assert chunk.usage.total_tokens == 3


# ------------------------------------------------------------------ one stream


async def test_a_batch_is_what_one_read_gave() -> None:
    batches = await read_all(Network(events(HELLO, HELLO), events(STOP, b"[DONE]")))
    assert [len(batch) for batch in batches] == [2, 1]


async def test_without_done_a_finished_reply_is_complete() -> None:
    assert len(await read_all(Network(events(HELLO, STOP)))) == 1


async def test_a_connection_that_breaks_after_the_finish_is_no_failure() -> None:
    broken = AttemptFailed("transient", "the connection was lost")
    assert len(await read_all(Network(events(HELLO, STOP), broken))) == 1


@pytest.mark.parametrize("end", [(), (events(b"[DONE]"),)])
async def test_without_a_finish_reason_the_reply_broke_off(end: tuple[bytes, ...]) -> None:
    with pytest.raises(AttemptFailed) as caught:
        await read_all(Network(events(HELLO), *end))
    assert (caught.value.kind, caught.value.code) == ("transient", "truncated")


async def test_every_choice_must_finish() -> None:
    with pytest.raises(AttemptFailed, match="broke off"):
        await read_all(Network(events(HELLO, STOP)), choices=2)


async def test_a_second_choice_that_began_must_finish_even_with_done() -> None:
    second = HELLO.replace(b'"index":0', b'"index":1')
    with pytest.raises(AttemptFailed, match="broke off"):
        await read_all(Network(events(second, HELLO, STOP, b"[DONE]")))


async def test_fewer_choices_than_asked_for_are_complete_with_done() -> None:
    assert await read_all(Network(events(HELLO, STOP, b"[DONE]")), choices=2)


async def test_an_empty_stream_broke_off() -> None:
    with pytest.raises(AttemptFailed, match="broke off"):
        await read_all(Network(events(b"[DONE]")))


async def test_what_comes_after_done_is_not_read() -> None:
    assert len(await read_all(Network(events(HELLO, STOP, b"[DONE]", b"{")))) == 1


async def test_chunks_before_a_broken_event_are_delivered_first() -> None:
    reply, network = ReplyStream(OpenAIDecoder()), Network(events(HELLO, b"{"))
    assert len(await reply.next(network)) == 1
    with pytest.raises(AttemptFailed):
        await reply.next(network)


# ----------------------------------------------------------- malformed events

BROKEN = b'{"choices":[{"delta"'


async def test_a_malformed_event_between_good_ones_is_skipped_and_counted() -> None:
    stream = events(HELLO, BROKEN, HELLO, STOP, b"[DONE]")
    [batch] = await read_all(Network(stream))
    assert [chunk.skipped for chunk in batch] == [0, 1, 0]


@pytest.mark.parametrize("packets", [1, 3])
async def test_some_in_a_row_are_skipped(packets: int) -> None:
    stream = events(BROKEN, *[BROKEN] * (MAX_SKIPPED - 1), HELLO, BROKEN, STOP, b"[DONE]")
    cut = len(stream) // packets
    pieces = [stream[n : n + cut] for n in range(0, len(stream), cut)]
    batches = await read_all(Network(*pieces))
    assert [chunk.skipped for batch in batches for chunk in batch] == [MAX_SKIPPED, 1]


async def test_garbage_that_goes_on_is_a_failure() -> None:
    reply = ReplyStream(OpenAIDecoder())
    network = Network(events(HELLO), *[events(BROKEN)] * (MAX_SKIPPED + 1), events(STOP))
    assert len(await reply.next(network)) == 1
    with pytest.raises(AttemptFailed) as caught:
        await reply.next(network)
    assert (caught.value.kind, caught.value.code) == ("transient", "malformed")


async def test_a_malformed_event_and_then_the_end_is_a_failure() -> None:
    reply, network = ReplyStream(OpenAIDecoder()), Network(events(HELLO, BROKEN))
    await reply.next(network)
    with pytest.raises(AttemptFailed) as caught:
        await reply.next(network)
    assert caught.value.code == "malformed"


async def test_a_malformed_event_after_the_finish_does_not_matter() -> None:
    assert len(await read_all(Network(events(HELLO, STOP, BROKEN)))) == 1


async def test_an_error_object_is_no_malformed_event() -> None:
    reply = ReplyStream(OpenAIDecoder())
    network = Network(events(HELLO, b'{"error":{"message":"boom"}}', STOP, b"[DONE]"))
    await reply.next(network)
    with pytest.raises(AttemptFailed, match="boom"):
        await reply.next(network)


async def test_malformed_events_keep_nothing_alive() -> None:
    network = Network(events(BROKEN), events(BROKEN), events(HELLO), events(STOP, b"[DONE]"))
    await read_all(network)
    assert network.events == ["resume", "hold", "resume", "hold", "resume"]


# ------------------------------------------------------------------ framing


async def test_spaces_around_a_payload_and_empty_events_do_not_matter() -> None:
    stream = b"data:   " + HELLO + b"\n\ndata: \n\n" + events(STOP, b" [DONE] ")
    [batch] = await read_all(Network(stream))
    assert [chunk.raw.strip() for chunk in batch] == [HELLO, STOP]


async def test_comments_do_not_count_as_events() -> None:
    network = Network(b": ping\n\n", b": ping\n\n", events(HELLO), events(STOP, b"[DONE]"))
    await read_all(network)
    assert network.events == ["resume", "hold", "resume", "hold", "resume"]


async def test_after_the_finish_nobody_waits_long() -> None:
    network = Network(events(HELLO), events(STOP))
    await read_all(network)
    assert network.limits == [None, None, LAST_EVENTS_S]


# --------------------------------------------------------------------- a body


def test_a_body_becomes_one_whole_chunk() -> None:
    body = (
        b'{"id":"a","model":"m","created":5,"object":"chat.completion","usage":{"total_tokens":3},'
        b'"choices":[{"index":0,"message":{"role":"assistant","content":null,"reasoning_content":'
        b'"hm","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}},'
        b'{"id":"2","type":"function","function":{"name":"g","arguments":"{}"}}]},'
        b'"finish_reason":"tool_calls","logprobs":null}]}'
    )
    chunk = decode_whole(body)
    [choice] = chunk.choices
    assert chunk.whole
    assert chunk.raw == body
    assert chunk.usage is not None
    assert (chunk.id, chunk.model, chunk.created, chunk.usage.total_tokens) == ("a", "m", 5, 3)
    assert choice.finish_reason == "tool_calls"
    assert choice.delta.reasoning_content == "hm"
    assert [(c.index, c.id) for c in choice.delta.tool_calls or ()] == [(0, "1"), (1, "2")]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"choices":[]}', b"<html>"])
def test_a_body_that_is_no_completion_is_a_transient_failure(body: bytes) -> None:
    with pytest.raises(AttemptFailed) as caught:
        decode_whole(body)
    assert (caught.value.kind, caught.value.code) == ("transient", "malformed")


def test_an_error_object_as_body_is_a_failure_by_its_type() -> None:
    with pytest.raises(AttemptFailed, match="full up") as caught:
        decode_whole(b'{"error":{"message":"full up","type":"overloaded_error"}}')
    assert (caught.value.kind, caught.value.status) == ("transient", 503)


# ----------------------------------------------- a body in place of a stream


def test_a_whole_reply_can_be_told_as_a_stream() -> None:
    body = (
        b'{"id":"a","model":"m","created":5,"object":"chat.completion","usage":{"total_tokens":3},'
        b'"choices":[{"index":0,"message":{"role":"assistant","content":"hi","annotations":[1],'
        b'"refusal":null},"finish_reason":"length","logprobs":{"content":[]}},'
        b'{"index":1,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"1",'
        b'"type":"function","function":{"name":"f","arguments":"{}"}},{"id":"2","type":"function",'
        b'"function":{"name":"g","arguments":"{}"}}]}}]}'
    )
    chunks = as_stream(decode_whole(body))
    assert [(c.id, c.model, c.created, c.whole) for c in chunks] == [("a", "m", 5, False)] * 5
    first, end, calls, stop, usage = chunks
    assert first.choices[0].delta.content == "hi"
    assert first.choices[0].logprobs == {"content": []}
    assert b'"annotations":[1]' in first.raw
    assert b'"object":"chat.completion.chunk"' in first.raw
    assert end.choices[0].finish_reason == "length"
    assert [(t.index, t.id) for t in calls.choices[0].delta.tool_calls or ()] == [
        (0, "1"),
        (1, "2"),
    ]
    assert (stop.choices[0].index, stop.choices[0].finish_reason) == (1, "stop")
    assert usage.usage is not None
    assert (usage.choices, usage.usage.total_tokens) == ([], 3)
