"""The answer once a caller has begun to see it: what breaks off from here on is recovered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from serve_app.backends.attempt import Attempt
from serve_app.backends.course import Begun
from serve_app.backends.errand import Errand
from serve_app.backends.mended import Mended
from serve_app.backends.recovery import Broken, Recovery
from serve_app.backends.sent import Sent
from serve_app.core.types import Candidate, Chunk


class Committed:
    """Batches of the answer.

    A class and not a generator, because a generator that nobody began does nothing when it is
    closed, and the call upstream would go on.
    """

    __slots__ = (
        "_attempt", "_errand", "_first", "_mended", "_next", "_own_from", "_recovery", "_sent",
        "is_recovered",
    )  # fmt: skip

    def __init__(self, begun: Begun, errand: Errand) -> None:
        self._attempt: Attempt = begun.attempt
        self._next: Callable[[], Awaitable[list[Chunk]]] = begun.attempt.batches.__anext__
        self._errand = errand
        self._first: list[Chunk] | None = begun.first
        request = errand.tries.request
        has_one = request.streaming and (request.params.n or 1) == 1
        self._sent = Sent(begun.first[0]) if has_one else None
        self._own_from = 0
        self._recovery: Recovery | None = None
        self._mended: Mended | None = None
        self.is_recovered = False

    @property
    def candidate(self) -> Candidate:
        """Who answers now."""
        return self._attempt.candidate

    @property
    def broken(self) -> list[Broken]:
        """What attempts that broke off had delivered."""
        return [] if self._recovery is None else self._recovery.broken

    @property
    def given_tokens(self) -> int:
        """Of the answer's usage, so many who answers now counted as a part of its prompt."""
        return 0 if self._mended is None else self._mended.given_tokens

    def __aiter__(self) -> Committed:
        return self

    async def __anext__(self) -> list[Chunk]:
        """The next batch.

        Raises:
            UpstreamFailed: the answer broke off for good; code `stream_interrupted`.
        """
        batch = self._first
        if batch is not None:
            self._first = None
        else:
            try:
                batch = await self._next()
            except StopAsyncIteration:
                self._attempt.done(self._tokens())
                raise
            except Exception as error:  # noqa: BLE001 - of a backend: another one may go on
                batch = await self._went_on(error)
        if self._sent is not None:
            self._sent.add(batch)
        return batch

    async def _went_on(self, error: Exception) -> list[Chunk]:
        """The first batch of who goes on with the answer."""
        sent = self._sent
        if sent is not None and sent.is_finished:  # only its goodbye is missing
            self._attempt.done(self._tokens())
            raise StopAsyncIteration
        failed = await self._attempt.fail(error)
        if self._recovery is None:
            self._recovery = Recovery(self._errand)
        text = "" if sent is None else sent.text()
        own = text[self._own_from :]
        mended, batch = await self._recovery.resume(self._attempt, failed, sent, own)
        self._attempt, self._next, self._mended = mended.attempt, mended.next, mended
        self._own_from = 0 if mended.begins_anew else len(text)
        self.is_recovered = True
        return batch

    def _tokens(self) -> int:
        """Of the answer, for its speed; 0 where they are of two backends, or nobody counted."""
        return 0 if self._sent is None or self.is_recovered else self._sent.tokens()

    async def aclose(self) -> None:
        """Close the call upstream; harmless after the end."""
        self._first = None
        await self._attempt.leave()
