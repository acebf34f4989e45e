"""Stored files and batches of one process: their rooms, and who works on them."""

from __future__ import annotations

import random

from serve_app.batches.openlist import OpenList
from serve_app.batches.register import Register
from serve_app.compose.maker import Maker
from serve_app.config.paths import data_dir
from serve_app.config.policy import Policy
from serve_app.files.files import Files, blobs
from serve_app.files.parts import Parts
from serve_app.ingress.batches import BatchRoutes
from serve_app.ingress.clerk import Clerk
from serve_app.ingress.files import FileRoutes
from serve_app.ingress.router import Route
from serve_app.tasks.base import TaskQueue
from serve_app.work.batch_desk import BatchDesk
from serve_app.work.batch_end import BatchEnd
from serve_app.work.batch_flow import BatchFlow
from serve_app.work.batch_handlers import batch_handlers
from serve_app.work.batch_keeper import BatchKeeper
from serve_app.work.batch_line import Performs
from serve_app.work.batch_list import BatchList
from serve_app.work.batch_shard import BatchShard
from serve_app.work.batch_start import BatchStart
from serve_app.work.batch_tasks import BatchTasks
from serve_app.work.ends import Handler


class Batches:
    """Files and batches.

    Args:
        queue: that the tasks of batches go to.

    Raises:
        PolicyRejected: the place of files cannot be used.
    """

    def __init__(self, maker: Maker, policy: Policy, queue: TaskQueue) -> None:
        settings, store, clock = maker.args.files, maker.store, maker.clock
        self._maker = maker
        local = str(data_dir(maker.environ) / "files")
        self._blobs = blobs(settings.url, settings.options, settings.threads, local)
        self._files = Files(self._blobs, store, policy.files, clock)
        self._parts = Parts(self._blobs, store, clock)
        self._register = Register(store, policy.batches, clock)
        self._open_list = OpenList(store)
        self._tasks = BatchTasks(queue, policy.tasks.max_soft_limit_s)
        self._flow = BatchFlow(self._register, self._tasks)
        self._keeper = BatchKeeper(
            self._register,
            self._open_list,
            self._files,
            self._flow,
            clock,
            random.Random(),  # noqa: S311
        )

    def routes(self, clerk: Clerk) -> list[Route]:
        """What callers do with files and batches."""
        desk = BatchDesk(
            self._register, self._open_list, self._files, self._flow, self._maker.clock
        )
        files = FileRoutes(admit=clerk.identify, known=clerk.known, files=self._files)
        batches = BatchRoutes(admit=clerk.admit_to_queue, known=clerk.known, desk=desk)
        return [*files.routes(), *batches.routes()]

    def listing(self) -> BatchList:
        """The batches of all tenants, for those who may see them."""
        desk = BatchDesk(
            self._register, self._open_list, self._files, self._flow, self._maker.clock
        )
        return BatchList(self._register, self._open_list, desk)

    def handlers(self, performer: Performs) -> dict[str, Handler]:
        """Who does the tasks of batches, by kind."""
        most = self._maker.args.server.max_body_bytes
        start = BatchStart(
            self._register,
            self._open_list,
            self._files,
            self._parts,
            self._flow,
            most_line_bytes=most,
        )
        shard = BatchShard(
            self._register,
            self._open_list,
            self._files,
            self._parts,
            self._flow,
            performer,
            self._maker.clock,
            random.Random(),  # noqa: S311
            most_line_bytes=most,
        )
        end = BatchEnd(self._register, self._open_list, self._files, self._parts)
        return batch_handlers(start, shard, end)

    def start(self) -> None:
        """Begin to look after batches: in processes that have a worker."""
        self._keeper.start()

    def reconfigure(self, policy: Policy) -> None:
        """Apply a checked policy to what comes."""
        self._files.reconfigure(policy.files)
        self._register.reconfigure(policy.batches)
        self._tasks.soft_limit_s = policy.tasks.max_soft_limit_s

    async def close(self) -> None:
        await self._keeper.close()
        self._blobs.close()
