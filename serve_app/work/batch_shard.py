"""A shard of a batch: its lines answered side by side, what came of them written in their order."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from functools import reduce
from operator import add
from typing import Final

from serve_app.batches.lines import Line, lines
from serve_app.batches.openlist import Open, OpenList
from serve_app.batches.register import Register
from serve_app.core.batch import Batch, LineError, ShardDone, Tally
from serve_app.core.clock import Clock
from serve_app.core.errors import NotFound, Overloaded
from serve_app.files.files import Files
from serve_app.files.parts import Parts
from serve_app.work.batch_flow import BatchFlow
from serve_app.work.batch_line import Answered, LineWork, Performs
from serve_app.work.batch_progress import Progress
from serve_app.work.batch_stop import StopSign
from serve_app.work.batch_tasks import BatchTask, task_of

_SHARE: Final = 0.8
"""Of its time an attempt works; in the rest it keeps what it has."""


class BatchShard:
    """Carries out tasks of the kind `batch-shard`. Of several attempts at one shard, those of
    workers that were taken for dead among them, the first that says it is done counts.

    Args:
        most_line_bytes: of one request.
    """

    def __init__(
        self,
        register: Register,
        open_list: OpenList,
        files: Files,
        parts: Parts,
        flow: BatchFlow,
        performer: Performs,
        clock: Clock,
        rng: random.Random,
        *,
        most_line_bytes: int,
    ) -> None:
        self._register = register
        self._open_list = open_list
        self._files = files
        self._parts = parts
        self._flow = flow
        self._performer = performer
        self._clock = clock
        self._rng = rng
        self._most_line_bytes = most_line_bytes

    async def run(self, payload: bytes, limit_s: float) -> None:
        """Work a shard off.

        Args:
            limit_s: how long this attempt may take.

        Raises:
            Overloaded: its time is over, and the shard is not done: try again at once.
        """
        about = task_of(payload)
        batch = await self._register.find(about.tenant, about.batch_id)
        if batch is None or batch.is_over:
            return
        one = range(about.number, about.number + 1)
        [done] = await self._register.shards(about.tenant, about.batch_id, one)
        if done is None and not await self._done(batch, about, limit_s * _SHARE):
            return
        await self._flow.follow(batch, about.number)

    async def _done(self, batch: Batch, about: BatchTask, limit_s: float) -> bool:
        """Work a shard off and say so; False: that cannot be done any more."""
        progress = Progress(about, self._register, self._parts)
        await progress.load()
        try:
            await self._answer(batch, about, progress, limit_s)
        except (NotFound, FileNotFoundError):
            what = "The input file was deleted before the batch was over."
            await self._register.fail(batch, [LineError("input_file_missing", what)])
            await self._parts.forget(batch.tenant, batch.id)
            await self._open_list.take_off(Open(batch.tenant, batch.id))
            return False
        written = await self._written(about, progress)
        await self._register.shard_done(batch.tenant, batch.id, about.number, written)
        return True

    async def _answer(
        self, batch: Batch, about: BatchTask, progress: Progress, limit_s: float
    ) -> None:
        """Answer the lines that have no answer yet.

        Raises:
            Overloaded: that takes too long; what there is, is kept.
        """
        saving = asyncio.create_task(progress.save_now_and_then())
        try:
            async with asyncio.timeout(limit_s):
                await self._answer_all(batch, about, progress.answers)
        except TimeoutError:
            await progress.save()
            raise Overloaded("There are lines left", code="shard_paused", retry_after_s=0) from None
        finally:
            saving.cancel()
            await asyncio.gather(saving, return_exceptions=True)

    async def _answer_all(
        self, batch: Batch, about: BatchTask, answers: dict[int, Answered]
    ) -> None:
        policy = self._register.policy
        sign = StopSign(batch, self._register, self._clock)
        work = LineWork(batch, policy, self._performer, sign.why, self._rng)
        free = asyncio.Semaphore(policy.parallel)

        async def answer(line: Line) -> None:
            try:
                answers[line.number] = await work.answer(line)
            finally:
                free.release()

        running: list[asyncio.Task[None]] = []
        try:
            async with aclosing(self._lines(batch, about)) as found:
                async for line in found:
                    if line.number not in answers:
                        await free.acquire()
                        running.append(asyncio.create_task(answer(line)))
            for task in running:
                await task
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _lines(self, batch: Batch, about: BatchTask) -> AsyncGenerator[Line, None]:
        """The lines of a shard that have a request.

        Raises:
            NotFound, FileNotFoundError: the input file is gone.
        """
        record = await self._files.get(batch.tenant, batch.terms.input_file_id)
        shard = about.shard
        assert shard is not None
        reading = self._files.read(record, shard.start, shard.end)
        async with aclosing(reading) as pieces:
            async for line in lines(
                pieces, self._most_line_bytes, start=shard.start, number=shard.first_line
            ):
                if not line.is_empty:
                    yield line

    async def _written(self, about: BatchTask, progress: Progress) -> ShardDone:
        """The parts of a shard whose lines all have answers."""
        found = [progress.answers[number] for number in sorted(progress.answers)]
        output = await self._part(about, "output", [one for one in found if one.is_good])
        errors = await self._part(about, "errors", [one for one in found if not one.is_good])
        return ShardDone(output, errors, reduce(add, (one.tally for one in found), Tally()))

    async def _part(self, about: BatchTask, kind: str, answers: Iterable[Answered]) -> str:
        """The name of a part with some lines; empty: there are none."""
        texts = [one.text for one in answers]
        if not texts:
            return ""
        name = f"{about.number:05d}-{secrets.token_hex(8)}-{kind}"
        async with self._parts.writing(about.tenant, about.batch_id, name) as writing:
            for text in texts:
                await writing.write(text)
            await writing.keep()
        return name
