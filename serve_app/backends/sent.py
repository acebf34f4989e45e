"""What of a streamed answer the caller has: enough of it to go on elsewhere."""

from __future__ import annotations

from io import StringIO

from serve_app.core.types import Chunk, Usage

MAX_CHARS = 1 << 19
"""About 128,000 tokens, the longest answer of common models. A longer text is not held; an answer
that breaks off after it ends in an error."""


class Sent:
    """Watches the one choice of an answer go out.

    The text is copied into one buffer as it passes: chunks are rewritten later on their way, and
    pieces that were held would each take 53 bytes and keep the memory around them from being
    given back (150 MB for ten large streams, measured).

    Args:
        head: the first chunk; the answer keeps its `id` and `created`.
    """

    __slots__ = (
        "_chars",
        "_pieces",
        "_text",
        "created",
        "id",
        "is_finished",
        "is_lost",
        "seals",
        "usage",
    )

    def __init__(self, head: Chunk) -> None:
        self._text = StringIO()
        self._chars = 0
        self._pieces = 0
        self.id = head.id
        self.created = head.created
        self.usage: Usage | None = None
        self.seals = ""
        """What was sent that cannot be put together from two answers; empty: nothing."""
        self.is_finished = False
        """The finish reason went out."""
        self.is_lost = False
        """More was sent than is held."""

    def add(self, batch: list[Chunk]) -> None:
        """A batch goes out: 0.2 us a chunk."""
        for chunk in batch:
            if chunk.choices:
                choice = chunk.choices[0]
                delta = choice.delta
                if text := delta.content:
                    self._hold(text)
                if delta.tool_calls:
                    self.seals = "a tool call"
                elif delta.refusal:
                    self.seals = "a refusal"
                if choice.finish_reason is not None:
                    self.is_finished = True
            if chunk.usage is not None:
                self.usage = chunk.usage

    def _hold(self, text: str) -> None:
        self._pieces += 1
        self._chars += len(text)
        if self._chars > MAX_CHARS:
            self.is_lost = True
            self._text, self._chars = StringIO(), 0
        else:
            self._text.write(text)

    def text(self) -> str:
        """Everything that was sent; of a text that was lost, what came after that."""
        return self._text.getvalue()

    def tokens(self) -> int:
        """Of the answer, as the provider counted them; a piece is one where it did not."""
        if self.usage is not None:
            return self.usage.completion_tokens
        return self._pieces
