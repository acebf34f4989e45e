"""Probabilities of tokens go out with the text they are of: no earlier, and not without it.

They spell the text out. What is held back, redacted or cut off would else be readable there.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from msgspec import Struct


class _Token(Struct, gc=False):
    item: dict[str, Any]
    chars: int


class Beside:
    """The tokens of one choice whose text has not gone out yet."""

    __slots__ = ("_ahead", "_tokens")

    def __init__(self) -> None:
        self._tokens: deque[_Token] = deque()
        self._ahead = 0
        """Characters that went out of the first of them."""

    def add(self, logprobs: dict[str, Any]) -> None:
        """Probabilities as they came, in OpenAI's form; what has no text is left out."""
        for item in logprobs.get("content") or ():
            token = item.get("token") if isinstance(item, dict) else None
            if isinstance(token, str):
                self._tokens.append(_Token(item, len(token)))

    def out(self, chars: int) -> dict[str, Any] | None:
        """Those of the next characters that go out."""
        self._ahead += chars
        items: list[dict[str, Any]] = []
        while self._tokens and self._tokens[0].chars <= self._ahead:
            token = self._tokens.popleft()
            self._ahead -= token.chars
            items.append(token.item)
        if not self._tokens:
            self._ahead = 0
        return {"content": items, "refusal": None} if items else None

    def forget(self) -> None:
        """The text was changed."""
        self._tokens.clear()
        self._ahead = 0
