"""Log-probabilities of chat completions in the form of the older completions."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


class Offsets:
    """Where in its text each choice of a stream stands, in characters."""

    def __init__(self) -> None:
        self._at: dict[int, int] = {}

    def next(self, index: int, logprobs: Any, text: str) -> Json | None:
        """The older form for the next piece of a choice."""
        at = self._at.get(index, 0)
        self._at[index] = at + len(text)
        return older_logprobs(logprobs, at)


def older_logprobs(logprobs: Any, offset: int) -> Json | None:
    """`{"content": [{"token", "logprob", "top_logprobs"}]}` as parallel lists.

    Args:
        offset: characters of the choice's text before the first token.
    """
    found = logprobs.get("content") if isinstance(logprobs, dict) else None
    if not isinstance(found, list):
        return None
    tokens = [token for token in found if isinstance(token, dict)]
    names = [str(token.get("token", "")) for token in tokens]
    offsets = []
    for name in names:
        offsets.append(offset)
        offset += len(name)
    return {
        "tokens": names,
        "token_logprobs": [token.get("logprob") for token in tokens],
        "top_logprobs": [_top(token) for token in tokens],
        "text_offset": offsets,
    }


def _top(token: Json) -> dict[str, Any]:
    found = token.get("top_logprobs") or ()
    return {str(top.get("token", "")): top.get("logprob") for top in found}
