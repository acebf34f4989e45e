"""The answer once a caller has begun to see it: from here on no other candidate can step in."""

from __future__ import annotations

from serve_app.backends.base import AttemptFailed, Batches
from serve_app.core.errors import UpstreamFailed
from serve_app.core.trail import Trail
from serve_app.core.types import Candidate, Chunk
from serve_app.vitals.breaker import Breaker


class Committed:
    """Batches of the chosen candidate, those that decided for it first.

    A class and not a generator, because a generator that nobody began does nothing when it is
    closed, and the call upstream would go on.
    """

    def __init__(
        self,
        candidate: Candidate,
        first: list[Chunk],
        rest: Batches,
        breaker: Breaker,
        trail: Trail,
    ) -> None:
        self._candidate = candidate
        self._first: list[Chunk] | None = first
        self._rest = rest
        self._breaker = breaker
        self._trail = trail

    def __aiter__(self) -> Committed:
        return self

    async def __anext__(self) -> list[Chunk]:
        """The next batch.

        Raises:
            UpstreamFailed: the answer broke off; code `stream_interrupted`.
        """
        if self._first is not None:
            first, self._first = self._first, None
            return first
        try:
            return await self._rest.__anext__()
        except StopAsyncIteration:
            self._breaker.succeeded()
            raise
        except AttemptFailed as failed:
            self._breaker.failed()
            raise self._interrupted(failed) from failed

    def _interrupted(self, failed: AttemptFailed) -> UpstreamFailed:
        name = f"{self._candidate.backend}/{self._candidate.model}"
        self._trail.note(
            "attempt",
            "interrupted",
            backend=self._candidate.backend,
            model=self._candidate.model,
            status=failed.status,
            why=failed.message,
        )
        return UpstreamFailed(
            f"the answer of {name} broke off: {failed.message}", code="stream_interrupted"
        )

    async def aclose(self) -> None:
        """Close the call upstream; harmless after the end."""
        self._first = None
        await self._rest.aclose()
