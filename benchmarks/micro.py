"""Microseconds of each stage in one process: `python -m benchmarks.micro`.

No network, no Ray, no Redis: what a stage costs when nothing waits. Best of several rounds, since
whatever else runs can only add.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from serve_app.backends.dialects.openai_reply import decode_chunk, decode_whole
from serve_app.backends.sse import Splitter
from serve_app.cache.key import fingerprint
from serve_app.compose import Maker
from serve_app.config.policy import Policy
from serve_app.config.structure import GatewayArgs
from serve_app.core.kept import Entry, Fill, Lookup
from serve_app.core.plan import PlanQuery
from serve_app.core.screening import Tail
from serve_app.core.trail import Trail
from serve_app.wire import openai, reply

ROUND_S = 0.05
CHUNKS_A_PACKET = 10
_NO_REDIS = {"SERVE_APP_REDIS_URL": "redis://127.0.0.1:9"}
"""Nobody calls there."""

Call = Callable[[], object]
AsyncCall = Callable[[], Awaitable[object]]


class Case(NamedTuple):
    """One thing to time. `per` says how many units one call handles."""

    stage: str
    what: str
    call: Call | AsyncCall
    per: int = 1


def _args() -> GatewayArgs:
    model = {"id": "mock", "context": 131072}
    backend = {"name": "mock", "base_url": "http://127.0.0.1:9/v1", "models": [model]}
    return GatewayArgs.model_validate({"cache": {"l2": False}, "backends": [backend]})


def _policy() -> Policy:
    words = [
        {"name": "words-en", "file": "words/en.txt"},
        {"name": "words-zh", "file": "words/zh.txt"},
    ]
    return Policy.model_validate(
        {"routing": {"default": ["mock/mock"]}, "filter": {"words": words}}
    )


def _body(characters: int) -> bytes:
    sentence = "Please summarise the notes of our last meeting in three short points. "
    text = (sentence * (characters // len(sentence) + 1))[:characters]
    messages = [{"role": "system", "content": "You are brief."}, {"role": "user", "content": text}]
    return json.dumps({"model": "mock", "messages": messages, "temperature": 0}).encode()


def _event(content: str) -> bytes:
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": None}
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "mock"}
    return json.dumps({**head, "choices": [choice]}, separators=(",", ":")).encode()


def _whole() -> bytes:
    message = {"role": "assistant", "content": "Hello from the mock upstream. " * 4}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    usage = {"prompt_tokens": 20, "completion_tokens": 32, "total_tokens": 52}
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "mock"}
    return json.dumps({**head, "choices": [choice], "usage": usage}).encode()


def _wire() -> Iterator[Case]:
    for characters in (100, 4000):
        body = _body(characters)
        request = openai.decode(body)
        key = partial(fingerprint, request, "default", "1")
        yield Case(
            "wire", f"decode a request, {characters} characters", partial(openai.decode, body)
        )
        yield Case("wire", f"encode a request, {characters} characters", request.body)
        yield Case("cache", f"fingerprint, {characters} characters", key)


def _answers() -> Iterator[Case]:
    event, whole = _event("tok "), _whole()
    packet = b"".join(b"data: %b\n\n" % event for _ in range(CHUNKS_A_PACKET))
    chunk = decode_chunk(event)
    yield Case("backends", "decode a whole answer", partial(decode_whole, whole))
    yield Case("backends", "split SSE, a chunk", lambda: Splitter().feed(packet), CHUNKS_A_PACKET)
    yield Case("backends", "decode a chunk", partial(decode_chunk, event))
    chunks = [chunk] * CHUNKS_A_PACKET
    yield Case("wire", "encode SSE, a chunk", partial(reply.sse, chunks), CHUNKS_A_PACKET)


def _stages(maker: Maker, policy: Policy) -> Iterator[Case]:
    filter_, router = maker.filter(policy), maker.router(policy)
    for characters in (100, 4000):
        texts = openai.texts_of(openai.decode(_body(characters)), "default")
        check = partial(filter_.check_input, [texts])
        yield Case("filter", f"check input, {characters} characters", check)
    tail = Tail(None, "Hello from the mock upstream. ", final=False, path="/v1/chat/completions")
    yield Case("filter", "check output, 30 characters", partial(filter_.check_output, [tail]))
    query = PlanQuery(
        model="mock",
        text="Please summarise the notes of our last meeting in three short points.",
        turns=2,
        prompt_tokens=30,
        max_output_tokens=512,
    )
    yield Case("router", "plan, a model by name", partial(router.plan, [query]))
    auto = PlanQuery("auto", query.text, 2, 30, 512)
    yield Case("router", "plan, auto", partial(router.plan, [auto]))
    yield Case("trail", "eight notes", _eight_notes)


def _eight_notes() -> None:
    trail = Trail("request")
    for _ in range(8):
        trail.note("stage", "decision", level="l1")


async def _cache(maker: Maker, policy: Policy) -> list[Case]:
    cache = maker.cache(policy)
    now = maker.clock.wall()
    entry = Entry(False, _whole(), "mock", "mock", 20, 32, 0, now, now + 3600)
    await cache.fill([Fill("0" * 64, entry)])
    hit, miss = Lookup("0" * 64), Lookup("f" * 64)
    return [
        Case("cache", "L1 lookup, hit", partial(cache.lookup, [hit])),
        Case("cache", "L1 lookup, miss", partial(cache.lookup, [miss])),
    ]


async def micros(case: Case, rounds: int) -> float:
    """Microseconds of one unit, best of the rounds."""
    loops = 1
    while await _seconds(case, loops) < ROUND_S:
        loops *= 2
    best = min([await _seconds(case, loops) for _ in range(rounds)])
    return best / loops / case.per * 1e6


async def _seconds(case: Case, loops: int) -> float:
    call = case.call
    began = time.perf_counter()
    if asyncio.iscoroutine(first := call()):
        await first
        for _ in range(loops - 1):
            await call()  # type: ignore[misc]
    else:
        for _ in range(loops - 1):
            call()
    return time.perf_counter() - began


async def cases() -> list[Case]:
    maker, policy = Maker(_args(), _NO_REDIS), _policy()
    return [*_wire(), *await _cache(maker, policy), *_stages(maker, policy), *_answers()]


async def _measure(rounds: int) -> Table:
    table = Table(title=f"Microseconds of one unit, best of {rounds} rounds", title_justify="left")
    table.add_column("stage")
    table.add_column("what")
    table.add_column("us", justify="right")
    for case in sorted(await cases()):
        table.add_row(case.stage, case.what, f"{await micros(case, rounds):.2f}")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.micro", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    Console().print(asyncio.run(_measure(parser.parse_args().rounds)))


if __name__ == "__main__":
    main()
