"""Blocking reads and writes, in threads of which there are only so many."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """Runs functions that block.

    Args:
        count: of them at once; others wait their turn.
    """

    def __init__(self, count: int) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="files")

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What it returns. Who is cancelled goes when the thread is done with what it has in
        hand: nothing of ours works on a file that its owner believes closed."""
        loop = asyncio.get_running_loop()
        doing = loop.run_in_executor(self._pool, lambda: work(*args, **kwargs))
        try:
            return await asyncio.shield(doing)
        except asyncio.CancelledError:
            if not doing.cancel():
                await asyncio.wait([doing])
                if not doing.cancelled():
                    doing.exception()
            raise

    def close(self) -> None:
        """Take no more work. What runs is not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)
