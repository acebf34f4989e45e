"""What a flight is made of: the call it carries, and who makes that call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from msgspec import Struct

from serve_app.core.types import Chunk


class Heading(Struct, frozen=True, gc=False):
    """Who answers."""

    backend: str = ""
    model: str = ""


class Outcome(Struct, frozen=True, gc=False):
    """What an answer that came to its end amounted to."""

    backend: str = ""
    model: str = ""
    attempts: int = 1
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_micro_usd: int = 0
    repeatable: bool = True
    """False: good for those who wait for it, but nobody else should be served it."""


class Call(Protocol):
    """An answer on its way: batches of chunks; a whole reply is one batch of one chunk.

    Iterating raises `GatewayError` where the answer breaks off for good.
    """

    @property
    def heading(self) -> Heading:
        """Known from the beginning; changes where another backend goes on."""

    @property
    def outcome(self) -> Outcome:
        """After the end."""

    def __aiter__(self) -> Call: ...

    async def __anext__(self) -> list[Chunk]: ...

    async def aclose(self) -> None:
        """Let go of it, wherever it is. Harmless after the end."""


Launch = Callable[[list[list[Chunk]]], Awaitable[Call]]
"""Makes the call upstream, or raises `GatewayError`.

It is given the batches that callers may have got already from a leader that died; the call then
brings what comes after them. They are read, never changed. Mostly there are none.
"""

Recall = Callable[[], Awaitable[Call | None]]
"""Asks the cache once more for an answer whose flight is over; None: it was not kept."""


async def never_kept() -> Call | None:
    """A `Recall` where there is no cache to ask."""
    return None
