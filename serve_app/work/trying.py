"""One try of a task: its handler is run within the limits, and its end is told to the queue."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable
from contextlib import suppress

from serve_app.core.clock import Clock
from serve_app.core.errors import GatewayError
from serve_app.store.errors import StoreUnavailable
from serve_app.tasks.base import Claim, TaskQueue
from serve_app.tasks.errors import ResultTooLarge
from serve_app.work.ends import Handler, TaskEnd
from serve_app.work.progress import Progress

log = logging.getLogger(__name__)

_AGAIN_S = 0.2
"""Before the end is told again to a Redis that did not answer."""
_RELEASE_LIMIT_S = 3.0
_UNKNOWN_KIND_S = 5.0
_BROKEN = TaskEnd.failed(
    "internal_error", "The worker failed; its log has the task's id", retry=True
)


class Try:
    """A claim while it is ours.

    Args:
        handler: None: nobody here knows what to do.
        over: told when it is.
    """

    def __init__(
        self,
        queue: TaskQueue,
        claim: Claim,
        handler: Handler | None,
        clock: Clock,
        over: Callable[[Try], object],
    ) -> None:
        self.claim = claim
        self.progress = Progress(queue, claim)
        self.renewed_at = clock.monotonic()
        self._queue = queue
        self._handler = handler
        self._is_lost = False
        loop, own = asyncio.get_running_loop(), contextvars.Context()
        name = f"{claim.task.kind} {claim.task.id}"
        self.task = loop.create_task(self._do(), name=name, context=own)
        self.task.add_done_callback(lambda _: over(self))

    def lose(self) -> None:
        """It was cancelled, or is another worker's: stop at once, and tell nobody."""
        if not self._is_lost:  # once: a second cancellation would cut its cleaning up
            self._is_lost = True
            self.task.cancel()

    async def _do(self) -> None:
        try:
            await self._tell(await self._end())
        except asyncio.CancelledError:
            if not self._is_lost:
                await self._give_back()
            raise

    async def _end(self) -> TaskEnd:
        claim = self.claim
        if self._handler is None:
            words = f"This worker does no tasks of kind {claim.task.kind!r}"
            return TaskEnd.failed("unknown_kind", words, retry=True, after_s=_UNKNOWN_KIND_S)
        try:
            async with asyncio.timeout(claim.soft_limit_s) as limit:
                return await self._handler(claim, self.progress)
        except TimeoutError:
            if limit.expired():
                words = f"It took longer than its limit of {claim.soft_limit_s:g} s"
                return TaskEnd.failed("soft_limit", words, retry=True)
            log.exception("task %s failed", claim.task.id)
            return _BROKEN
        except GatewayError as error:
            return TaskEnd.failed(
                error.code, error.message, retry=error.retryable, after_s=error.retry_after_s
            )
        except StoreUnavailable:
            return TaskEnd.failed("store_unavailable", "Redis was away", retry=True)
        except Exception:  # here a task ends, whatever it did
            log.exception("task %s failed", claim.task.id)
            return _BROKEN

    async def _tell(self, end: TaskEnd) -> None:
        """Until the queue has heard of the end, or the lease is surely lost and somebody says so
        (`lose`)."""
        await self.progress.flush()
        while True:
            try:
                await self._told(end)
            except ResultTooLarge:
                words = "The result is larger than tasks.max_result_bytes"
                end = TaskEnd.failed("result_too_large", words, retry=False)
            except StoreUnavailable:
                await asyncio.sleep(_AGAIN_S)
            else:
                return

    async def _told(self, end: TaskEnd) -> None:
        if end.result is not None:
            is_ours = await self._queue.finish(self.claim, end.result)
        else:
            state = await self._queue.fail(
                self.claim, end.code, end.message, retry=end.retry, after_s=end.after_s
            )
            is_ours = state is not None
        if not is_ours:
            log.info("task %s was another's by its end", self.claim.task.id)

    async def _give_back(self) -> None:
        """The worker ends: another one begins the task anew, now and not when the lease is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_RELEASE_LIMIT_S):
                while True:
                    with suppress(StoreUnavailable):
                        await self._queue.release(self.claim)
                        return
                    await asyncio.sleep(_AGAIN_S)
