"""A streamed reply: bytes as the network gives them in, `Chunk`s in batches or a failure out."""

from __future__ import annotations

from typing import Protocol

from serve_app.backends.base import AttemptFailed
from serve_app.backends.dialects.base import MALFORMED, StreamDecoder
from serve_app.backends.sse import Splitter
from serve_app.core.types import Chunk

LAST_EVENTS_S = 5.0
"""After the last finish reason only usage and `[DONE]` can come: nobody waits long for them."""

MAX_SKIPPED = 3
"""Malformed events in a row that are read past; more are no accident."""


class Source(Protocol):
    """Where the bytes of a stream come from; its limits of time are its own."""

    async def read(self) -> bytes:
        """The next piece, empty at the end. Raises `AttemptFailed`."""

    def hold(self) -> None:
        """Something real came."""

    def resume(self, at_most_s: float | None = None) -> None:
        """The next event is waited for."""


class ReplyStream:
    """One streamed reply: its events in batches, and whether it came to its end.

    Args:
        decoder: of the provider's dialect.
        choices: how many were asked for (`n`).
    """

    __slots__ = (
        "_choices", "_decoder", "_ended", "_failure", "_finished", "_malformed", "_seen",
        "_skipped", "_splitter",
    )  # fmt: skip

    def __init__(self, decoder: StreamDecoder, choices: int = 1) -> None:
        self._choices = choices
        self._decoder = decoder
        self._splitter = Splitter()
        self._seen: set[int] = set()
        self._finished: set[int] = set()
        self._malformed: AttemptFailed | None = None
        """The last event, if it was malformed."""
        self._skipped = 0
        """Malformed events since the last chunk."""
        self._ended = False
        self._failure: AttemptFailed | None = None

    async def next(self, source: Source) -> list[Chunk]:
        """Chunks that arrived together; empty once the reply is complete.

        Raises:
            AttemptFailed: the reply broke off, holds an error, or is not understood. Chunks
                that came before were returned.
        """
        source.resume(LAST_EVENTS_S if self._has_every_finish() else None)
        while not (self._ended or self._failure):
            if chunks := self._take(await self._read(source)):
                source.hold()
                return chunks
        if self._failure:
            raise self._failure
        return []

    async def _read(self, source: Source) -> bytes:
        try:
            return await source.read()
        except AttemptFailed:
            if self._has_every_finish():  # the answer is whole, only its goodbye is missing
                return b""
            raise

    def _take(self, data: bytes) -> list[Chunk]:
        chunks: list[Chunk] = []
        decoder = self._decoder
        try:
            for event in self._splitter.feed(data) if data else self._splitter.finish():
                try:
                    decoded = decoder.chunks(event)
                except AttemptFailed as failed:
                    self._skip(failed)
                    continue
                if self._skipped:
                    self._caught_up(decoded)
                for chunk in decoded:
                    self._note(chunk)
                    chunks.append(chunk)
                if decoder.ended:
                    break
            if not data or decoder.ended:
                self._end()
        except AttemptFailed as failed:
            self._failure = failed
        return chunks

    def _note(self, chunk: Chunk) -> None:
        for choice in chunk.choices:
            self._seen.add(choice.index)
            if choice.finish_reason:
                self._finished.add(choice.index)

    def _skip(self, failed: AttemptFailed) -> None:
        """Read past one malformed event; garbage that goes on is a failure."""
        if failed.code != MALFORMED or self._skipped >= MAX_SKIPPED:
            raise failed
        self._skipped += 1
        self._malformed = failed

    def _caught_up(self, decoded: list[Chunk]) -> None:
        """A good event after malformed ones: its chunk says how many there were."""
        self._malformed = None
        if decoded:
            decoded[0].skipped, self._skipped = self._skipped, 0

    def _end(self) -> None:
        """The stream is over; without a finish reason for each choice it was cut."""
        said_so = self._decoder.ended
        complete = self._finished >= self._seen if said_so else self._has_every_finish()
        if not (complete and self._seen):
            raise self._malformed or AttemptFailed(
                "transient", "the reply broke off", code="truncated"
            )
        self._ended = True

    def _has_every_finish(self) -> bool:
        return len(self._finished) >= self._choices and self._finished >= self._seen
