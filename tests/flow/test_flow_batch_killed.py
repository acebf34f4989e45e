"""A batch whose workers are killed: every line once, as if nobody had been."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai
from batch_calls import KEY, OTHER, begin, chat_line, content, ended, rules
from provider.fixtures import ScriptedProvider

from serve_app.accounting.ledger import Ledger
from serve_app.core.clock import SystemClock
from serve_app.store.client import Store
from serve_app.store.embedded import EmbeddedValkey

PROGRAM = Path(__file__).with_name("batch_house.py")
TESTS = PROGRAM.parents[1]
LINES = 500


class Gateway:
    """A gateway in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        assert process.stdout is not None
        self._stdout = process.stdout
        self.base_url = f"http://127.0.0.1:{int(self._stdout.readline())}/v1"

    def client(self, key: str) -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(base_url=self.base_url, api_key=key, max_retries=0)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._stdout.close()


@contextmanager
def gateway(redis_url: str, provider: str, folder: Path) -> Iterator[Gateway]:
    policy = rules(batches={"shard_requests": 25, "parallel": 4}).model_dump_json()
    environ = {
        **os.environ,
        "SERVE_APP_DATA_DIR": str(folder),
        "PYTHONPATH": f"{TESTS.parent}:{TESTS}:{PROGRAM.parent}",
    }
    command = [sys.executable, PROGRAM, redis_url, provider, policy]
    process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True)
    one = Gateway(process)
    try:
        yield one
    finally:
        one.kill()


def without_names(lines: list[Any]) -> list[Any]:
    """All of the lines but what is named after their batch."""
    for line in lines:
        del line["id"], line["response"]["request_id"]
    return lines


async def test_killed_three_times_it_is_the_batch_that_nobody_killed(
    clean_valkey: EmbeddedValkey, store: Store, provider: ScriptedProvider, tmp_path: Path
) -> None:
    provider.script("ok", "slow-first-60ms")
    lines = [chat_line(number) for number in range(LINES)]
    place = (clean_valkey.url, provider.base_url, tmp_path)
    batch_id = ""
    for seen in (60, 180, 300):
        with gateway(*place) as one:
            async with one.client(KEY) as api:
                batch_id = batch_id or (await begin(api, lines)).id
                assert await asyncio.to_thread(provider.wait, "ok", "done", seen, 30)
                one.kill()
    with gateway(*place) as last:
        async with last.client(KEY) as api, last.client(OTHER) as other:
            batch = await ended(api, batch_id)
            killed = await content(api, batch.output_file_id)
            calm = await ended(other, (await begin(other, lines)).id)
            undisturbed = await content(other, calm.output_file_id)
    counts = batch.request_counts
    assert counts is not None
    assert (counts.total, counts.completed, counts.failed) == (LINES, LINES, 0)
    assert [line["custom_id"] for line in killed] == [line["custom_id"] for line in lines]
    assert json.dumps(without_names(killed)) == json.dumps(without_names(undisturbed))
    ledger = Ledger(store, SystemClock())
    assert len(provider.log("ok")) > 2 * LINES  # what was under way was asked again
    mine, theirs = await ledger.totals("a"), await ledger.totals("b")
    assert mine.total.requests == theirs.total.requests == LINES
    assert mine.total.cost_micro_usd == theirs.total.cost_micro_usd > 0
