"""The answer once a caller has begun to see it: what breaks off from here on is recovered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from serve_app.backends.attempt import Attempt
from serve_app.backends.course import Begun, Course
from serve_app.backends.errand import Errand
from serve_app.backends.mended import Mended
from serve_app.backends.recovery import Broken, Recovery
from serve_app.backends.sent import Sent
from serve_app.core.plan import Candidate
from serve_app.core.types import Chunk


class Committed:
    """Batches of the answer.

    A class and not a generator, because a generator that nobody began does nothing when it is
    closed, and the call upstream would go on.
    """

    __slots__ = (
        "_attempt", "_errand", "_first", "_mended", "_next", "_own_from", "_recovery", "_sent",
        "is_recovered",
    )  # fmt: skip

    def __init__(self, begun: Begun, errand: Errand, sent: Sent | None = None) -> None:
        self._attempt: Attempt = begun.attempt
        self._next: Callable[[], Awaitable[list[Chunk]]] = begun.attempt.batches.__anext__
        self._errand = errand
        self._first: list[Chunk] | None = begun.first
        if sent is None and _is_one(errand):
            sent = Sent(begun.first[0])
        self._sent = sent
        self._own_from = 0
        self._recovery: Recovery | None = None
        self._mended: Mended | None = None
        self.is_recovered = False

    def goes_on(self, recovery: Recovery, mended: Mended) -> None:
        """It is the rest of an answer that somebody else began."""
        self._take(recovery, mended, self._sent.text() if self._sent is not None else "")

    def _take(self, recovery: Recovery, mended: Mended, text: str) -> None:
        self._recovery, self._mended = recovery, mended
        self._attempt, self._next = mended.attempt, mended.next
        self._own_from = 0 if mended.begins_anew else len(text)
        self.is_recovered = True

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
        self._take(self._recovery, mended, text)
        return batch

    def _tokens(self) -> int:
        """Of the answer, for its speed; 0 where they are of two backends, or nobody counted."""
        return 0 if self._sent is None or self.is_recovered else self._sent.tokens()

    async def aclose(self) -> None:
        """Close the call upstream; harmless after the end."""
        self._first = None
        await self._attempt.leave()


def _is_one(errand: Errand) -> bool:
    """True for a stream of one choice: what breaks off of it can be saved."""
    request = errand.tries.request
    return request.streaming and (request.params.n or 1) == 1


class Over:
    """The rest of an answer that callers have whole."""

    is_recovered = True
    given_tokens = 0

    def __init__(self, candidate: Candidate) -> None:
        self.candidate = candidate
        self.broken: list[Broken] = []

    async def __anext__(self) -> list[Chunk]:
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """There is nothing to close."""


async def taken_over(errand: Errand, batches: Sequence[list[Chunk]]) -> Committed | Over:
    """The rest of an answer of which the maker is gone.

    Args:
        batches: what callers have of it.

    Raises:
        UpstreamFailed: nobody can go on with it; code `stream_interrupted`.
        GatewayError: it had not begun, and nobody begins.
    """
    chunks = [chunk for batch in batches for chunk in batch]
    if not any(chunk.has_content() for chunk in chunks):
        return Committed(await Course(errand).first(), errand)
    sent = Sent(chunks[0])
    sent.add(chunks)
    if sent.is_finished and _is_one(errand):
        return Over(errand.plan.candidates[0])
    recovery = Recovery(errand)
    mended, batch = await recovery.take_over(sent if _is_one(errand) else None)
    committed = Committed(Begun(mended.attempt, batch), errand, sent)
    committed.goes_on(recovery, mended)
    return committed
