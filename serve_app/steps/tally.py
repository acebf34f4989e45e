"""What of an answer is billed: its usage, or its text where the backend counted nothing."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO

from serve_app.core.types import Chunk, Usage

_MAX_CHARS = 1 << 20
_SAMPLE_CHARS = 1000


class Tally:
    """Watches the chunks of one answer as they come from the backend."""

    __slots__ = ("_chars", "_text", "skipped", "usage")

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.skipped = 0
        """Malformed events that the answer was read past."""
        self._text = StringIO()
        self._chars = 0

    def add(self, chunks: list[Chunk]) -> None:
        for chunk in chunks:
            if chunk.usage is not None:
                self.usage = chunk.usage
            if chunk.skipped:
                self.skipped += chunk.skipped
            for choice in chunk.choices:
                if text := choice.delta.content:
                    if self._chars < _MAX_CHARS:
                        self._text.write(text)
                    self._chars += len(text)

    def tokens(self, count: Callable[[str], int]) -> int:
        """Tokens of the text; of one too long to hold, as of so many neutral characters.

        Args:
            count: tokens of a text.
        """
        held = self._text.getvalue()
        if len(held) == self._chars:
            return count(held)
        return -(-self._chars * count("x" * _SAMPLE_CHARS) // _SAMPLE_CHARS)
