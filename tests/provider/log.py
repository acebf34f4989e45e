"""What the scripted provider saw, and a way to wait until it has seen something."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
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
    path: str = ""
    key: str = ""
    """The caller's key at this provider, as it came."""
    at: float = field(default_factory=time.time)
    """When it had arrived: the times between two entries are the pauses between attempts."""
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
        self._counts: Counter[str] = Counter()
        self._first_at: dict[str, float] = {}
        self._changed = asyncio.Event()

    def add(self, entry: Entry) -> tuple[int, float]:
        """Add a request; its number among those of its model, and seconds since the first."""
        del self._entries[: max(0, len(self._entries) - self._size + 1)]
        self._entries.append(entry)
        self._counts[entry.model] += 1
        first_at = self._first_at.setdefault(entry.model, entry.at)
        self.changed()
        return self._counts[entry.model], entry.at - first_at

    def changed(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def clear(self) -> None:
        self._entries.clear()
        self._counts.clear()
        self._first_at.clear()

    def of(self, model: str | None = None) -> list[dict[str, object]]:
        return [asdict(e) for e in self._entries if model in (None, e.model)]

    def unended(self) -> int:
        """Requests that are still being answered."""
        return sum(e.done_at is None and e.aborted_at is None for e in self._entries)

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
