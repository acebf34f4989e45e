"""What conversations cost in Redis: bytes a turn, memory of many users, and what a request reads.

    python -m benchmarks.sessions [--users 10000] [--turns 10]

A turn is a question of 120 characters and an answer of 600. Memory is `used_memory` of a Valkey of
this program's own, before and after.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Iterable
from pathlib import Path
from typing import Any

from redis import Redis

from serve_app.config.policy import ConversationPolicy
from serve_app.config.structure import RedisSettings
from serve_app.core.clock import SystemClock
from serve_app.core.types import Message
from serve_app.routing.estimate import estimate_tokens
from serve_app.sessions.prompt import Asked
from serve_app.sessions.seal import Seals
from serve_app.sessions.shortening import Room, shortened
from serve_app.sessions.store import Conversations
from serve_app.sessions.tokens import HeuristicCounter
from serve_app.sessions.turns import pack, turn_of
from serve_app.sessions.window import History
from serve_app.store.client import Store
from serve_app.store.embedded import EmbeddedValkey
from serve_app.wire import openai

WORDS = "the of and to in is that it was for on are with as his they at be this from".split()
COUNTER = HeuristicCounter(estimate_tokens)
SEALS = Seals("a key for this benchmark")
CONTEXT = 128_000


def text(rng: random.Random, chars: int) -> str:
    said = ""
    while len(said) < chars:
        said += rng.choice(WORDS) + " "
    return said[:chars]


def turn(rng: random.Random) -> list[Message]:
    return [Message("user", text(rng, 120)), Message("assistant", text(rng, 600))]


async def in_order(calls: Iterable[Awaitable[Any]], at_once: int = 64) -> None:
    """All of them, some at once."""
    gate = asyncio.Semaphore(at_once)

    async def one(call: Awaitable[Any]) -> None:
        async with gate:
            await call

    await asyncio.gather(*map(one, calls))


async def memory(store: Store, url: str, users: int, turns: int, *, encrypt: bool) -> None:
    """How much a Valkey grows by the conversations of many users."""
    rng = random.Random(7)
    conversations = Conversations(
        store,
        ConversationPolicy(),
        SystemClock(),
        seals=SEALS,
        encrypt=encrypt,
        count=COUNTER.count,
    )
    with Redis.from_url(url) as client:
        client.execute_command("FLUSHALL", "SYNC")
        before = client.info("memory")["used_memory"]
        began = time.perf_counter()
        for _ in range(turns):
            said = [(f"user-{n}", turn(rng)) for n in range(users)]
            await in_order(conversations.append("acme", name, one) for name, one in said)
        took = time.perf_counter() - began
        grown = client.info("memory")["used_memory"] - before
    name = "sealed" if encrypt else "plain"
    print(
        f"{name:>7}: {users:,} users of {turns} turns: {grown / 2**20:,.1f} MiB, "
        f"{grown / users:,.0f} bytes a user, {grown / users / turns:,.0f} a turn; "
        f"{users * turns / took:,.0f} turns/s were added"
    )


async def reading(store: Store, length: int) -> None:
    """What one request of a long conversation reads and takes, its prompt for a large context."""
    rng = random.Random(7)
    policy = ConversationPolicy()
    conversations = Conversations(store, policy, SystemClock(), count=COUNTER.count)
    for start in range(0, length, 500):
        said = [turn(rng) for _ in range(min(500, length - start))]
        await in_order(conversations.append("acme", f"long-{length}", one) for one in said)
    request = openai.from_values(
        {"model": "m", "messages": [{"role": "user", "content": "and now?"}]}
    )
    asked = Asked(request, 0)
    reads, works = [], []
    for _ in range(20):
        began = time.perf_counter()
        thread = await conversations.read("acme", f"long-{length}")
        read = time.perf_counter()
        history = History(thread, asked.said, policy)
        made = shortened(history, Room(asked, 1024), CONTEXT, COUNTER, COUNTER)
        body = asked.behind(made.told.messages).body()
        reads.append((read - began) * 1000)
        works.append((time.perf_counter() - read) * 1000)
    print(
        f"{length:>7,} turns: {thread.read_bytes:,} bytes of {len(thread.turns)} turns are read in "
        f"{statistics.median(reads):.1f} ms, laid out in {statistics.median(works):.1f} ms; "
        f"{len(body):,} bytes of prompt, {made.saved_tokens:,} tokens saved"
    )


async def measured(users: int, turns: int) -> None:
    rng = random.Random(7)
    made = [turn_of(0, turn(rng), COUNTER.count) for _ in range(100)]
    packed = statistics.mean(len(pack(one)) for one in made)
    print(f"one turn of 720 characters: {packed + 1:.0f} bytes; sealed {packed + 33:.0f}")
    with tempfile.TemporaryDirectory(prefix="serve-app-") as folder:
        server = EmbeddedValkey(Path(folder) / "valkey")
        server.start()
        store = Store(RedisSettings(timeout_ms=5000, pool=16), SystemClock(), server.url)
        try:
            for encrypt in (False, True):
                await memory(store, server.url, users, turns, encrypt=encrypt)
            for length in (10, 100, 1_000, 10_000):
                await reading(store, length)
        finally:
            await store.close()
            server.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--turns", type=int, default=10)
    chosen = parser.parse_args()
    asyncio.run(measured(chosen.users, chosen.turns))


if __name__ == "__main__":
    main()
