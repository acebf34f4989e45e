"""One call of a backend, from sending to its end; its vitals hear of it exactly once."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from serve_app.backends.base import (
    BUSY,
    FULL,
    UNSUPPORTED,
    AttemptFailed,
    Backend,
    Batches,
    Call,
)
from serve_app.backends.refusal import AUTH, CONTEXT
from serve_app.backends.seam import DEPARTED, UNCLEAR
from serve_app.core.clock import Clock
from serve_app.core.plan import Candidate
from serve_app.core.types import Chunk
from serve_app.vitals.book import Vital

logger = logging.getLogger(__name__)

MAX_HELD = 1000
"""Chunks without content that are held while a candidate is not committed yet."""

AUTH_REST_S = 10.0
"""A backend whose keys are refused is asked so seldom; asking costs nothing then."""

CLOSE_S = 2.0
"""So long a backend may take to let go of a call."""

_OURS = frozenset({BUSY, FULL, DEPARTED, UNCLEAR, UNSUPPORTED})
"""Codes of failures that say nothing about the backend."""


class Attempt:
    """A call under way.

    Args:
        long_rest_s: a provider that asks for a longer pause gets it from everybody.
    """

    __slots__ = (
        "_backend", "_clock", "_first_at", "_is_over", "_long_rest_s", "_vital",
        "batches", "began", "candidate",
    )  # fmt: skip

    def __init__(
        self,
        backend: Backend,
        candidate: Candidate,
        call: Call,
        vital: Vital,
        clock: Clock,
        long_rest_s: float,
    ) -> None:
        self.candidate = candidate
        self.began = clock.monotonic()
        self.batches: Batches = backend.run(call)
        """What comes after `first`. Whoever reads them says how it ended: `done`, `fail` or
        `leave`."""
        self._backend = backend
        self._vital = vital
        self._clock = clock
        self._long_rest_s = long_rest_s
        self._first_at = 0.0
        self._is_over = False
        vital.began()

    async def first(self) -> list[Chunk]:
        """The chunks up to the first that decides for a candidate: content, or an end.

        Raises:
            AttemptFailed: there was none; the attempt is over.
        """
        try:
            held = await self._until_content()
        except Exception as error:  # noqa: BLE001 - see `fail`
            raise await self.fail(error)  # noqa: B904 - it is the same error, mostly
        except BaseException:
            await self.leave()
            raise
        self._first_at = self._clock.monotonic()
        vital = self._vital
        if not held[-1].whole:
            vital.first_token(self._first_at - self.began)
        if vital.breaker.is_open:
            vital.breaker.succeeded(self.began)
        vital.headroom = self._backend.headroom(self.candidate.model)
        return held

    async def _until_content(self) -> list[Chunk]:
        held: list[Chunk] = []
        async for batch in self.batches:
            held = held + batch if held else batch
            for chunk in batch:
                if _decides(chunk):
                    return held
            if len(held) > MAX_HELD:
                raise AttemptFailed("candidate", f"no content in {MAX_HELD} events")
        raise AttemptFailed("transient", "the reply is empty", code="truncated")

    def done(self, tokens: int) -> None:
        """The answer came to its end.

        Args:
            tokens: of it, after its first content; 0 where nobody counted.
        """
        if not self._is_over:
            self._vital.breaker.succeeded(self.began)
            self._end(ok=True, seconds=self._clock.monotonic() - self._first_at, tokens=tokens)

    async def fail(self, error: Exception) -> AttemptFailed:
        """It failed: tell its vitals, let go of the call.

        Returns:
            What that means: for a mistake of ours in the backend, that another may answer.
        """
        failed = error if isinstance(error, AttemptFailed) else self._bug(error)
        if not self._is_over:
            well = failed.kind in ("caller", "content")
            well = well or failed.code == CONTEXT or failed.code in _OURS
            self._tell_breaker(failed)
            self._vital.headroom = self._backend.headroom(self.candidate.model)
            self._end(ok=well)
        await self._close()
        return failed

    def _bug(self, error: Exception) -> AttemptFailed:
        logger.error("backend %r has a bug", self.candidate.backend, exc_info=error)
        failed = AttemptFailed("transient", f"{type(error).__name__} in the backend")
        failed.__cause__ = error
        return failed

    async def leave(self) -> None:
        """Nobody wants the rest: the call upstream is closed. Harmless after the end."""
        if not self._is_over:
            self._end(ok=True)
            await self._close()

    def _end(self, *, ok: bool, seconds: float = 0.0, tokens: int = 0) -> None:
        self._is_over = True
        self._vital.ended(ok=ok, seconds=seconds, tokens=tokens)

    async def _close(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self.batches.aclose()
            return
        logger.error("backend %r does not let go of a call", self.candidate.backend)

    def _tell_breaker(self, failed: AttemptFailed) -> None:
        """A refusal of this one request shows that the backend is well."""
        breaker = self._vital.breaker
        rest_s = failed.retry_after_s
        if failed.kind in ("caller", "content") or failed.code == CONTEXT:
            breaker.succeeded(self.began)
        elif failed.code in _OURS or (failed.code == AUTH and rest_s == 0.0):
            return  # our own bound, or one key of several
        elif failed.code == AUTH:
            breaker.rest(AUTH_REST_S)
        elif rest_s is not None and rest_s > self._long_rest_s:
            breaker.rest(rest_s)
        else:
            breaker.failed()


def _decides(chunk: Chunk) -> bool:
    return chunk.whole or chunk.has_content() or any(c.finish_reason for c in chunk.choices)
