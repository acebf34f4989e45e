"""Looks after local models: asks once a second whether each is up, and marks those that are not.

Only for what costs nothing to ask. Hosted backends show their health by their answers.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from serve_app.vitals.book import Vitals

log = logging.getLogger(__name__)

INTERVAL_S = 1.0

LIMIT_S = 5.0
"""How long a backend may take to say how it is."""


class State(Protocol):
    """How a backend is."""

    @property
    def ok(self) -> bool: ...

    @property
    def detail(self) -> str:
        """If it is not well: why."""


Check = Callable[[], Awaitable[State]]


class Watch:
    """Keeps `down` of some backends' models true.

    Args:
        checks: by backend's name, how to ask it.
        models: by backend's name, the models that are up and down with it.
    """

    def __init__(
        self,
        checks: Mapping[str, Check],
        vitals: Vitals,
        models: Mapping[str, Sequence[str]],
        *,
        interval_s: float = INTERVAL_S,
        limit_s: float = LIMIT_S,
    ) -> None:
        self._checks = checks
        self._models = models
        self._vitals = vitals
        self._interval_s = interval_s
        self._limit_s = limit_s
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to ask in the background; call it in the running loop."""
        if not self._tasks:
            loop = asyncio.get_running_loop()
            self._tasks = [
                loop.create_task(self._look_after(name), name=f"watch-{name}")
                for name in self._checks
            ]

    async def close(self) -> None:
        """Stop asking; what was found stays."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _look_after(self, backend: str) -> None:
        down: str | None = None
        while True:
            before, down = down, await self._down(backend)
            if down != before:
                log.info("%s", down or f"{backend} is up")
            for model in self._models.get(backend, ()):
                self._vitals.of(backend, model).down = down
            await asyncio.sleep(self._interval_s)

    async def _down(self, backend: str) -> str:
        """Why the backend is not up; empty: it is."""
        try:
            async with asyncio.timeout(self._limit_s):
                state = await self._checks[backend]()
        except TimeoutError:
            return f"{backend} did not say within {self._limit_s:g} s how it is"
        except Exception as error:  # noqa: BLE001 - whatever it is, it is shown and asked again
            return f"{backend} cannot be asked how it is ({type(error).__name__})"
        return "" if state.ok else state.detail or f"{backend} is not running"
