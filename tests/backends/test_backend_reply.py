from __future__ import annotations

from collections.abc import Iterator

import pytest

from serve_app.backends.base import AttemptFailed
from serve_app.backends.dialects.openai import OpenAIDecoder
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
