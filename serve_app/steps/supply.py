"""One call of backends and what it comes to: batches in, the same batches out, and the bill."""

from __future__ import annotations

from asyncio import CancelledError

from serve_app.backends.execute import Answer
from serve_app.core.settlement import Status
from serve_app.core.types import Chunk, Usage
from serve_app.flights.base import Heading, Outcome
from serve_app.passage import Passage
from serve_app.steps.books import Books
from serve_app.steps.question import Warmth
from serve_app.steps.tally import Tally


class Supply:
    """A `Call`: the answer to one request from its backend, settled when it is over.

    Whatever ends it (a failure in mid-stream, nobody left to read it), what was used is
    accounted for, once, to the request that made the call.
    """

    __slots__ = ("_answer", "_began_ms", "_books", "_is_over", "_lease", "_tally", "_warmth",
                 "_way")  # fmt: skip

    def __init__(self, way: Passage, answer: Answer, books: Books, warmth: Warmth) -> None:
        self._way = way
        self._answer = answer
        self._books = books
        self._warmth = warmth
        self._tally = Tally()
        self._began_ms = way.ask.trail.elapsed_ms()
        self._is_over = False
        self._lease = way.lease
        if self._lease is not None:  # this call may outlive the request that made it
            self._lease.keep()

    @property
    def heading(self) -> Heading:
        candidate = self._answer.candidate
        return Heading(candidate.backend, candidate.model)

    @property
    def outcome(self) -> Outcome:
        usage = self._way.facts.usage or Usage()
        heading = self.heading
        return Outcome(
            backend=heading.backend,
            model=heading.model,
            attempts=self._answer.attempts,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            cost_micro_usd=self._way.facts.cost_micro_usd,
            repeatable=not (
                self._answer.recovered or self._tally.skipped or self._way.recall.shortened
            ),
        )

    def __aiter__(self) -> Supply:
        return self

    async def __anext__(self) -> list[Chunk]:
        try:
            batch = await self._answer.chunks.__anext__()
        except StopAsyncIteration:
            self._settle("ok")
            raise
        except CancelledError:
            self._settle("left")
            raise
        except Exception:
            self._settle("failed")
            raise
        self._tally.add(batch)
        return batch

    async def aclose(self) -> None:
        """Close the call upstream; harmless after the end."""
        self._settle("left")
        await self._answer.chunks.aclose()

    def _settle(self, status: Status) -> None:
        """Account for the answer. Never waits; once."""
        if self._is_over:
            return
        self._is_over = True
        way, answer = self._way, self._answer
        heading = self.heading
        way.facts.backend, way.facts.model = heading.backend, heading.model
        way.facts.attempts = answer.attempts
        self._books.answered(way, self._tally, answer, status, self._lease)
        way.ask.trail.note(
            "answer",
            status,
            self._began_ms,
            backend=heading.backend,
            model=heading.model,
            tokens=way.facts.usage.completion_tokens if way.facts.usage else 0,
        )
        if self._lease is not None:
            self._lease.done()
        if self._tally.skipped:
            way.ask.trail.note("stream", "skipped", events=self._tally.skipped)
        if status == "ok":
            self._warmth.note(way.conversation, answer.candidate)
