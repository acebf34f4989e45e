"""Lines of a file that comes in pieces, with where each stands; nothing but one line is held."""

from __future__ import annotations

from collections.abc import AsyncIterator

from msgspec import Struct


class Line(Struct, frozen=True):
    """One line. `number` is from 1, `end` is where the next one begins."""

    number: int
    start: int
    end: int
    text: bytes | None
    """Without its end; None: it is longer than a line may be."""

    @property
    def is_empty(self) -> bool:
        return self.text is not None and not self.text.strip()


async def lines(
    pieces: AsyncIterator[bytes], most_bytes: int, *, start: int = 0, number: int = 1
) -> AsyncIterator[Line]:
    """The lines of a file, or of a part of it.

    Args:
        most_bytes: of one line; of a longer one only its place is told.
        start: where the part begins.
        number: of its first line.
    """
    held, skipped = bytearray(), 0
    async for piece in pieces:
        at = 0
        while (found := piece.find(b"\n", at)) >= 0:
            held += piece[at:found]
            size = skipped + len(held)
            text = None if size > most_bytes else bytes(held)
            yield Line(number, start, start + size + 1, text)
            number, start, at = number + 1, start + size + 1, found + 1
            held.clear()
            skipped = 0
        held += piece[at:]
        if skipped + len(held) > most_bytes:
            skipped += len(held)
            held.clear()
    if size := skipped + len(held):
        yield Line(number, start, start + size, None if size > most_bytes else bytes(held))
