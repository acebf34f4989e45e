"""The caller's copy of a reply gets real values back where the model saw placeholders."""

from __future__ import annotations

from serve_app.core.screening import Names
from serve_app.core.types import Chunk
from serve_app.filters.restoring import Restoring
from serve_app.flights.copies import copied
from serve_app.steps.sieve import Sieve, says_something
from serve_app.wire.rewriting import opened

_EVERYWHERE = ("output", "tool_arguments")


class Restorer:
    """Restores one reply. What it is given stays as it is: caches and histories keep that."""

    def __init__(self, names: Names) -> None:
        self._sieve = Sieve(Restoring(names), "", guards=_EVERYWHERE)

    async def restored(self, chunks: list[Chunk]) -> list[Chunk]:
        """What of this batch (and of what was held before) may go out now."""
        own = copied([opened(chunk) for chunk in chunks])
        await self._sieve.read(own)
        return [chunk for chunk in own if says_something(chunk)]
