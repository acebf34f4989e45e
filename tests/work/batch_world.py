"""Everything of batches but the house around it: real rooms over Redis and a folder, a performer
that does as the test says, and a clock that the test moves."""

from __future__ import annotations

import json
import random
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

from serve_app.batches.openlist import OpenList
from serve_app.batches.register import Register
from serve_app.config.batch_policy import BatchesPolicy, FilesPolicy
from serve_app.config.policy import TasksPolicy
from serve_app.config.structure import TaskSettings
from serve_app.core.batch import Batch
from serve_app.core.clock import FakeClock
from serve_app.core.job import Job, Outcome
from serve_app.files.blobs import Blobs
from serve_app.files.files import Files
from serve_app.files.parts import Parts
from serve_app.store.client import Store
from serve_app.tasks.base import Claim
from serve_app.tasks.queue import RedisQueue
from serve_app.wire.batches import NewBatch
from serve_app.work.batch_desk import BatchDesk
from serve_app.work.batch_end import BatchEnd
from serve_app.work.batch_flow import BatchFlow
from serve_app.work.batch_handlers import batch_handlers
from serve_app.work.batch_keeper import BatchKeeper
from serve_app.work.batch_shard import BatchShard
from serve_app.work.batch_start import BatchStart
from serve_app.work.batch_tasks import BatchTasks
from serve_app.work.progress import Progress

URL = "/v1/chat/completions"
TENANT = "acme"
MOST_LINE = 10_000
Answer = Callable[[Job], Awaitable[Outcome]]


async def good(job: Job) -> Outcome:
    usage = {"prompt_tokens": 3, "completion_tokens": 2}
    return Outcome(200, json.dumps({"said": json.loads(job.body)["n"], "usage": usage}).encode())


def failing(status: int, code: str, *, is_final: bool = True, after_s: float = 0.0) -> Outcome:
    body = json.dumps({"error": {"code": code}}).encode()
    return Outcome(status, body, code, is_final, after_s)


class Answers:
    """A performer; `answer` says what comes of a job."""

    def __init__(self) -> None:
        self.answer: Answer = good
        self.jobs: list[Job] = []

    async def perform(self, job: Job) -> Outcome:
        self.jobs.append(job)
        return await self.answer(job)


class BatchWorld:
    """Tasks are done when the test says so, in this process."""

    def __init__(self, store: Store, folder: Path, **policy: Any) -> None:
        self.clock = FakeClock(1_700_000_000.0)
        self.store = store
        self.folder = folder
        rng = random.Random(7)
        self.blobs = Blobs(str(folder), {}, 2)
        self.files = Files(self.blobs, store, FilesPolicy(), self.clock)
        self.parts = Parts(self.blobs, store, self.clock)
        self.register = Register(store, BatchesPolicy(**policy), self.clock)
        self.open_list = OpenList(store)
        tasks = TasksPolicy(backoff_s=0)
        self.queue = RedisQueue(store, TaskSettings(), tasks, rng)
        self.flow = BatchFlow(self.register, BatchTasks(self.queue, 3600.0))
        self.desk = BatchDesk(self.register, self.open_list, self.files, self.flow, self.clock)
        self.keeper = BatchKeeper(
            self.register, self.open_list, self.files, self.flow, self.clock, rng
        )
        self.answers = Answers()
        here = (self.register, self.open_list, self.files, self.parts)
        self.start = BatchStart(*here, self.flow, most_line_bytes=MOST_LINE)
        self.shard = self.shard_worker()
        self.end = BatchEnd(*here)

    def shard_worker(self) -> BatchShard:
        return BatchShard(
            self.register,
            self.open_list,
            self.files,
            self.parts,
            self.flow,
            self.answers,
            self.clock,
            random.Random(7),
            most_line_bytes=MOST_LINE,
        )

    async def upload(self, content: bytes) -> str:
        async with self.files.receive(TENANT) as incoming:
            await incoming.write(content)
            record = await incoming.keep(filename="in", purpose="batch", expires_at=0)
        return record.id

    async def create(self, content: bytes) -> Batch:
        new = NewBatch(await self.upload(content), URL, "24h", None, None)
        return await self.desk.create(new, tenant=TENANT, user="ann", key_id="k", key="0" * 64)

    async def claims(self, count: int = 100) -> list[Claim]:
        return await self.queue.take("w", count)

    async def do(self, claim: Claim) -> None:
        """Do a task and end it; an error of its handler is the test's."""
        handlers = batch_handlers(self.start, self.shard, self.end)
        end = await handlers[claim.task.kind](claim, Progress(self.queue, claim))
        assert end.result is not None
        await self.queue.finish(claim, end.result)

    async def do_all(self) -> None:
        """Do tasks until there are none."""
        while claims := await self.claims(1):
            await self.do(claims[0])

    async def now(self, batch: Batch) -> Batch:
        return await self.register.get(TENANT, batch.id)

    async def content(self, file_id: str) -> list[Any]:
        record = await self.files.get(TENANT, file_id)
        async with aclosing(self.files.read(record)) as pieces:
            text = b"".join([piece async for piece in pieces])
        return [json.loads(line) for line in text.splitlines()]

    def on_disk(self) -> list[str]:
        return sorted(path.name for path in self.folder.rglob("*") if path.is_file())


def line(number: int) -> bytes:
    body = {"n": number}
    value = {"custom_id": f"c{number}", "method": "POST", "url": URL, "body": body}
    return json.dumps(value).encode() + b"\n"


def input_of(count: int) -> bytes:
    return b"".join(map(line, range(count)))
