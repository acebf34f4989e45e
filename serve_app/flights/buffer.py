"""What a flight has said, for those who come later and those who read slowly; bounded."""

from __future__ import annotations

from serve_app.core.types import Chunk

_FRAME = 200
"""Bytes of JSON around the text of a chunk."""


class Buffer:
    """Batches by number, counted from 0.

    It keeps everything up to `max_bytes` of raw JSON (the chunks around it take about three
    times that). Once there was more it `is_long` for good and may forget what was read.
    """

    __slots__ = ("_batches", "_max_bytes", "_sizes", "bytes", "first", "is_long")

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self.clear()

    def clear(self) -> None:
        """As if nothing had ever been said."""
        self._batches: list[list[Chunk]] = []
        self._sizes: list[int] = []
        self.first = 0
        """Number of the oldest batch that is still here."""
        self.bytes = 0
        self.is_long = False

    @property
    def end(self) -> int:
        """Number of the batch that comes next."""
        return self.first + len(self._batches)

    @property
    def is_full(self) -> bool:
        return self.bytes > self._max_bytes

    def add(self, batch: list[Chunk]) -> None:
        size = sum([_size(chunk) for chunk in batch])
        self._batches.append(batch)
        self._sizes.append(size)
        self.bytes += size
        if self.bytes > self._max_bytes:
            self.is_long = True

    def __getitem__(self, number: int) -> list[Chunk]:
        return self._batches[number - self.first]

    def since(self, number: int) -> list[list[Chunk]]:
        """The batches from this one on."""
        return self._batches[number - self.first :]

    def forget_before(self, number: int) -> None:
        count = number - self.first
        if count <= 0:
            return
        self.bytes -= sum(self._sizes[:count])
        del self._batches[:count]
        del self._sizes[:count]
        self.first = number


def _size(chunk: Chunk) -> int:
    if chunk.raw:
        return len(chunk.raw)
    size = 0
    for choice in chunk.choices:
        delta = choice.delta
        size += len(delta.content or "") + len(delta.reasoning_content or "")
        for call in delta.tool_calls or ():
            if call.function is not None:
                size += len(call.function.arguments or "")
    return size + _FRAME
