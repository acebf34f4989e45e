"""The last task of a batch: what its shards wrote becomes its output file and its error file."""

from __future__ import annotations

import hashlib
from contextlib import aclosing
from typing import Literal

from serve_app.batches.openlist import Open, OpenList
from serve_app.batches.register import Register
from serve_app.core.batch import Batch, ShardDone, Status
from serve_app.core.errors import Overloaded
from serve_app.files.files import Files
from serve_app.files.parts import Parts
from serve_app.work.batch_tasks import task_of

Kind = Literal["output", "errors"]


class BatchEnd:
    """Carries out tasks of the kind `batch-end`; done again, they do what is missing."""

    def __init__(self, register: Register, open_list: OpenList, files: Files, parts: Parts) -> None:
        self._register = register
        self._open_list = open_list
        self._files = files
        self._parts = parts

    async def run(self, payload: bytes) -> None:
        """End a batch.

        Raises:
            Overloaded: its shards are not all done.
        """
        about = task_of(payload)
        batch = await self._register.find(about.tenant, about.batch_id)
        if batch is not None and not batch.is_over:
            await self._register.move(batch, ("in_progress",), "finalizing")
            await self._join(await self._register.get(batch.tenant, batch.id))
        await self._parts.forget(about.tenant, about.batch_id)
        await self._open_list.take_off(Open(about.tenant, about.batch_id))

    async def _join(self, batch: Batch) -> None:
        found = await self._register.shards(batch.tenant, batch.id, range(batch.shards))
        done = [one for one in found if one is not None]
        if not found or len(done) < len(found):
            raise Overloaded("There are shards that are not done", code="batch_not_done")
        ids = {
            "output_file_id": await self._file(batch, "output", done),
            "error_file_id": await self._file(batch, "errors", done),
        }
        end: Status = "expired" if batch.tally.expired else "completed"
        await self._register.move(batch, ("finalizing",), end, **ids)
        await self._register.move(batch, ("cancelling",), "cancelled", **ids)

    async def _file(self, batch: Batch, kind: Kind, done: list[ShardDone]) -> str:
        """The id of a file with the lines of all shards; empty: there are none."""
        names = [one.output if kind == "output" else one.errors for one in done]
        if not any(names):
            return ""
        file_id = _file_id(batch, kind)
        async with self._files.receive(batch.tenant, file_id) as incoming:
            for name in filter(None, names):
                async with aclosing(self._parts.read(batch.tenant, batch.id, name)) as pieces:
                    async for piece in pieces:
                        await incoming.write(piece)
            await incoming.keep(
                filename=f"{batch.id}_{'output' if kind == 'output' else 'error'}.jsonl",
                purpose="batch_output",
                expires_at=self._files.expiry(batch.terms.output_expire_s),
            )
        return file_id


def _file_id(batch: Batch, kind: Kind) -> str:
    """The same whoever ends the batch, and nothing that can be guessed: the batch's id cannot.
    Like other files' it begins with when it was made."""
    digest = hashlib.sha256(f"{batch.id}:{kind}".encode()).hexdigest()
    began = batch.times.get("finalizing") or batch.times.get("cancelling", 0)
    return f"file-{began * 1000:012x}{digest[:20]}"
