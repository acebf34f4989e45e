"""Cuts the lines of a file into shards."""

from __future__ import annotations

from typing import Final

from serve_app.batches.lines import Line
from serve_app.core.batch import Shard

SHARD_BYTES: Final = 16 << 20
"""A shard ends where its lines are more than this, however few they are."""

SHARD_TEXTS: Final = 2048
"""Or where they have so many texts to embed: the answers of a shard are held in memory, and a
vector is up to 60 KB."""


class Cutter:
    """Takes requests in the order of their lines.

    Args:
        requests: of one shard, at most.
    """

    def __init__(self, requests: int) -> None:
        self._most = requests
        self._begun: Shard | None = None
        self._texts = 0
        self.shards: list[Shard] = []

    def add(self, line: Line, texts: int = 1) -> None:
        """One request more, with so many texts to embed. Lines without one are not told of."""
        begun = self._begun
        if begun is None:
            begun = Shard(line.start, line.end, line.number, 1)
        else:
            begun = Shard(begun.start, line.end, begun.first_line, begun.requests + 1)
        self._begun = begun
        self._texts += texts
        is_large = begun.end - begun.start >= SHARD_BYTES or self._texts >= SHARD_TEXTS
        if is_large or begun.requests >= self._most:
            self._end()

    def finish(self) -> list[Shard]:
        """There are no more: all shards."""
        self._end()
        return self.shards

    def _end(self) -> None:
        if self._begun is not None:
            self.shards.append(self._begun)
            self._begun, self._texts = None, 0
