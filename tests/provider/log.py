"""What the scripted provider saw, and a way to wait until it has seen something."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict, dataclass, field


@dataclass
class Entry:
    """One request; times are Unix seconds."""

    model: str
    behaviour: str
    stream: bool
    has_authorization: bool
    headers: dict[str, str]
    body: dict[str, object]
    at: float = field(default_factory=time.time)
    done_at: float | None = None
    aborted_at: float | None = None
    """When the caller closed the connection before its answer was complete."""
    connection: int = 0
    """Number of the TCP connection it came on."""


class Log:
    """The last `size` requests."""

    def __init__(self, size: int = 10_000) -> None:
        self._size = size
        self._entries: list[Entry] = []
        self._changed = asyncio.Event()

    def add(self, entry: Entry) -> None:
        del self._entries[: max(0, len(self._entries) - self._size + 1)]
        self._entries.append(entry)
        self.changed()

    def changed(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def clear(self) -> None:
        self._entries.clear()

    def of(self, model: str | None = None) -> list[dict[str, object]]:
        return [asdict(e) for e in self._entries if model in (None, e.model)]

    async def wait(self, model: str, event: str, count: int, timeout_s: float) -> bool:
        """True once `count` requests of the model were `seen`, `done` or `aborted`."""
        field_name = {"seen": "at", "done": "done_at", "aborted": "aborted_at"}[event]
        try:
            async with asyncio.timeout(timeout_s):
                while self._count(model, field_name) < count:
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def _count(self, model: str, field_name: str) -> int:
        entries = [e for e in self._entries if e.model == model]
        return sum(getattr(e, field_name) is not None for e in entries)
