"""What waits for a classifier: windows of many texts in, batches to the model, scores out.

Texts take turns, so that a long one does not hold up the short ones beside it; whatever arrives
while the model computes rides in the next batch.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable

logger = logging.getLogger(__name__)

Window = list[int]
Scores = list[float]
Run = Callable[[list[Window]], Awaitable[list[Scores]]]


class Full(Exception):
    """So much waits already that nobody would wait for this."""


class BatchFailed(Exception):
    """The model failed; its own words may hold some of a text, so its error is only named."""


class WindowQueue:
    """Batches the windows of texts that are judged at the same time.

    Args:
        run: the model on one batch; one call at a time.
        max_batch: windows in a batch.
        max_waiting: windows that may wait for their batch.
    """

    def __init__(self, run: Run, *, max_batch: int, max_waiting: int) -> None:
        self._run = run
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._texts: deque[_Text] = deque()
        self._worker: asyncio.Task[None] | None = None
        self.waiting = 0
        """Windows that wait, of texts that somebody still asks for."""
        self.batches = 0
        """Batches that were computed."""
        self.windows = 0
        """Windows in them."""
        self.failures = 0
        """Batches that failed, in a row."""

    async def judge(self, windows: list[Window]) -> Scores:
        """The highest score of the windows of a text, label by label.

        Raises:
            Full: too much waits.
            BatchFailed: the model did on one of its batches.
        """
        if self.waiting + len(windows) > self._max_waiting:
            raise Full(f"more than {self._max_waiting} windows would wait for the classifier")
        text = _Text(windows, asyncio.get_running_loop().create_future())
        self._texts.append(text)
        self.waiting += len(windows)
        self._start()
        try:
            return await text.answer
        finally:
            self.waiting -= len(text.waiting)
            text.waiting.clear()

    def _start(self) -> None:
        if self._worker is None or self._worker.done():
            # A context of its own: Serve cancels what it finds in that of a request that left.
            self._worker = asyncio.get_running_loop().create_task(
                self._work(), context=contextvars.Context()
            )

    async def close(self) -> None:
        """Stop; who still waits is told."""
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)
        _fail(self._texts, Full, "the classifier was stopped")
        self._texts.clear()

    async def _work(self) -> None:
        while batch := self._next_batch():
            texts = [text for text, _ in batch]
            try:
                found = await self._run([window for _, window in batch])
            except asyncio.CancelledError:
                _fail(texts, Full, "the classifier was stopped")
                raise
            except Exception as error:
                logger.exception("the classifier failed on a batch of %d windows", len(batch))
                self.failures += 1
                _fail(texts, BatchFailed, type(error).__name__)
                continue
            self.failures = 0
            self.batches += 1
            self.windows += len(batch)
            for text, scores in zip(texts, found, strict=True):
                text.take(scores)

    def _next_batch(self) -> list[tuple[_Text, Window]]:
        """Windows of the texts whose turn it is, of each its share."""
        batch: list[tuple[_Text, Window]] = []
        while self._texts and len(batch) < self._max_batch:
            text = self._texts.popleft()
            if text.answer.done():  # who asked has left, or an earlier window failed
                continue
            share = max(1, (self._max_batch - len(batch)) // (len(self._texts) + 1))
            taken = text.some(share)
            self.waiting -= len(taken)
            batch += [(text, window) for window in taken]
            if text.waiting:
                self._texts.append(text)
        return batch


def _fail(texts: Iterable[_Text], kind: type[Exception], why: str) -> None:
    """Tell each of an error of its own: one that several raise would gather their frames."""
    for text in texts:
        if not text.answer.done():
            text.answer.set_exception(kind(why))


class _Text:
    """One text on its way."""

    __slots__ = ("_best", "_unknown", "answer", "waiting")

    def __init__(self, windows: list[Window], answer: asyncio.Future[Scores]) -> None:
        self.waiting = deque(windows)
        self.answer = answer
        self._unknown = len(windows)
        self._best: Scores = []

    def some(self, count: int) -> list[Window]:
        return [self.waiting.popleft() for _ in range(min(count, len(self.waiting)))]

    def take(self, scores: Scores) -> None:
        pairs = zip(self._best, scores, strict=True)
        self._best = [max(pair) for pair in pairs] if self._best else scores
        self._unknown -= 1
        if not self._unknown and not self.answer.done():
            self.answer.set_result(self._best)
