"""One reply as the caller got it: its chunks and its end, for the cache and the history."""

from __future__ import annotations

from serve_app.core.types import Chunk
from serve_app.wire.reply import collect, is_usage_only, payload

_COMPLETE = frozenset({"stop", "tool_calls", "function_call"})


class Record:
    """Watches the chunks of one reply go by.

    Args:
        max_bytes: from there on the chunks are no longer kept, so that no
            answer, however long, grows the process.
    """

    def __init__(self, max_bytes: int) -> None:
        self._room = max_bytes
        self._chunks: list[Chunk] = []
        self._open: set[int] = set()
        self.finish_reasons: set[str] = set()

    def add(self, chunks: list[Chunk]) -> None:
        for chunk in chunks:
            for choice in chunk.choices:
                if choice.finish_reason is None:
                    self._open.add(choice.index)
                else:
                    self._open.discard(choice.index)
                    self.finish_reasons.add(choice.finish_reason)
            if self._room >= 0 and not is_usage_only(chunk):
                self._keep(chunk)

    def _keep(self, chunk: Chunk) -> None:
        self._room -= len(chunk.raw) or 256
        if self._room >= 0:
            self._chunks.append(chunk)
        else:
            self._chunks.clear()

    @property
    def is_kept(self) -> bool:
        """True if every chunk of the reply is still here."""
        return self._room >= 0 and bool(self._chunks)

    @property
    def is_complete(self) -> bool:
        """True if every choice came to an end of its own; embeddings have none."""
        if self.is_whole and not self._chunks[0].choices:
            return True
        return not self._open and bool(self.finish_reasons) and self.finish_reasons <= _COMPLETE

    def ended_by_limit(self) -> bool:
        """True if the caller's own token limit ended a choice and nothing worse did."""
        return not self._open and self.finish_reasons <= (_COMPLETE | {"length"})

    @property
    def is_whole(self) -> bool:
        """True for a non-streaming reply."""
        return bool(self._chunks) and self._chunks[0].whole

    def payloads(self) -> list[bytes]:
        return [payload(chunk) for chunk in self._chunks]

    def body(self) -> bytes:
        """The reply as one JSON body."""
        if self.is_whole:
            return payload(self._chunks[0])
        return collect(self._chunks)
