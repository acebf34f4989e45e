"""A learned router that follows its file: trained anew under the same name, it is read anew."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Final

from serve_app.core.clock import Clock
from serve_app.core.errors import PolicyRejected
from serve_app.routing.learned.judge import LearnedRouter

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 2.0


class FreshJudge:
    """Implements `routing.base.Judge`. A file that became unusable leaves the old model at work.

    Args:
        strong_share: see `LearnedRouter.load`.

    Raises:
        PolicyRejected: there is no usable model to begin with.
    """

    def __init__(self, path: Path, strong_share: float, clock: Clock) -> None:
        self._path = path
        self._strong_share = strong_share
        self._clock = clock
        self._seen = _mark(path)
        self._model = LearnedRouter.load(path, strong_share)
        self._look_at = clock.monotonic() + LOOK_EVERY_S

    @property
    def threshold(self) -> float:
        return self._model.threshold

    async def judge(self, texts: list[str]) -> list[float]:
        """See `Judge.judge`."""
        now = self._clock.monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOK_EVERY_S
            await self._follow()
        return await self._model.judge(texts)

    async def _follow(self) -> None:
        mark = _mark(self._path)
        if mark is None or mark == self._seen:
            return
        self._seen = mark
        try:
            self._model = await asyncio.to_thread(
                LearnedRouter.load, self._path, self._strong_share
            )
        except PolicyRejected as error:
            log.error("the learned router stays as it was: %s", error)


def _mark(path: Path) -> tuple[int, int] | None:
    """What changes with a file's content; None if it is not there."""
    try:
        stat = path.expanduser().stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size
