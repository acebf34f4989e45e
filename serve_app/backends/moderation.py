"""A hosted backend's /moderations as a classifier: texts in, scores by category out."""

from __future__ import annotations

import asyncio

import msgspec

from serve_app.backends.base import AttemptFailed, Backend, Call
from serve_app.backends.judgements import MALFORMED, judgements

Scores = dict[str, float]
_Piece = tuple[int, str]
"""Number of a text, and some of it."""

_PIECE_CHARS = 2000
"""OpenAI's guide asks for pieces of less than 2,000 characters where accuracy matters."""
_OVERLAP_CHARS = 200
_AT_ONCE = 32
"""Pieces in one request."""
_REQUESTS = 4
"""At once, for one call."""
_LIMIT_S = 30.0
"""The longest that a rule may wait (`timeout_s`); each waits as long as it says."""

_encode = msgspec.json.encode


class Moderation:
    """Asks one backend. Implements `filters.base.Classifier`.

    Args:
        backend: named `name` in the configuration.
        model: empty: the one that the provider takes by itself.
    """

    def __init__(self, name: str, backend: Backend, model: str = "") -> None:
        self._name = name
        self._backend = backend
        self._model = model

    async def classify(self, texts: list[str]) -> list[Scores]:
        """The scores of each text; of a long one the highest of its pieces.

        Raises:
            AttemptFailed: the backend did not answer, or not for each text.
        """
        pieces = [(at, piece) for at, text in enumerate(texts) for piece in cut(text)]
        batches = [pieces[at : at + _AT_ONCE] for at in range(0, len(pieces), _AT_ONCE)]
        scores: list[Scores] = [{} for _ in texts]
        for batch, found in zip(batches, await self._all(batches), strict=True):
            for (at, _), one in zip(batch, found, strict=True):
                _raise_to(scores[at], one)
        return scores

    async def _all(self, batches: list[list[_Piece]]) -> list[list[Scores]]:
        turns = asyncio.Semaphore(_REQUESTS)

        async def asked(batch: list[_Piece]) -> list[Scores]:
            async with turns:
                return await self._ask([piece for _, piece in batch])

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(asked(batch)) for batch in batches]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return [task.result() for task in tasks]

    async def _ask(self, pieces: list[str]) -> list[Scores]:
        model = {"model": self._model} if self._model else {}
        call = Call(
            backend=self._name,
            model=self._model,
            body=_encode({**model, "input": pieces}),
            stream=False,
            request_id="moderation",
            timeout_s=_LIMIT_S,
            endpoint="moderations",
        )
        found = await self._found(call)
        if len(found) != len(pieces):
            raise AttemptFailed("transient", "not a judgement for each text", code=MALFORMED)
        return found

    async def _found(self, call: Call) -> list[Scores]:
        try:
            return await self._answer(call)
        except AttemptFailed as failed:
            if failed.code not in ("reset", "truncated"):
                raise
        # Most often a connection that the provider closed while it was idle.
        return await self._answer(call)

    async def _answer(self, call: Call) -> list[Scores]:
        found: list[Scores] = []
        async for batch in self._backend.run(call):
            found += [one.scores() for chunk in batch for one in judgements(chunk)]
        return found

    async def close(self) -> None:
        await self._backend.close()


def cut(text: str) -> list[str]:
    """The text in overlapping pieces; itself where it is short enough."""
    if len(text) <= _PIECE_CHARS:
        return [text]
    step = _PIECE_CHARS - _OVERLAP_CHARS
    return [text[at : at + _PIECE_CHARS] for at in range(0, len(text) - _OVERLAP_CHARS, step)]


def _raise_to(scores: Scores, others: Scores) -> None:
    for label, score in others.items():
        scores[label] = max(score, scores.get(label, 0.0))
