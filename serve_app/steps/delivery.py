"""The way out: an answer that is made or stored becomes a caller's reply.

source -> filter -> record -> real values in the place of placeholders -> caller
                      `-> conversation, cache           when it is over -> ledger
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial

from msgspec.structs import replace

from serve_app.core.errors import UpstreamFailed
from serve_app.core.kept import Found
from serve_app.core.types import Chunk, Usage
from serve_app.flights.base import Call, Outcome
from serve_app.flights.flights import Flights
from serve_app.flights.seat import Seat
from serve_app.passage import Passage, Reply
from serve_app.sessions.conversation import Conversation
from serve_app.steps.books import Books
from serve_app.steps.caching import Caching
from serve_app.steps.leasing import Leasing
from serve_app.steps.record import Record
from serve_app.steps.replay import replayed, replayed_whole
from serve_app.steps.screening import Gate, Screening
from serve_app.wire.agent import answered
from serve_app.wire.reply import is_usage_only, usage_chunk


class Delivery:
    """Hands answers out.

    Args:
        refresh: told of a fingerprint whose stale answer was served, to make it anew.
        remembered: told of each request whose turn was added to its conversation.
        max_entry_bytes: larger answers are not kept for the cache or a conversation.
    """

    def __init__(
        self,
        books: Books,
        screening: Screening,
        leasing: Leasing,
        caching: Caching,
        conversation: Conversation,
        flights: Flights,
        refresh: Callable[[str, Passage], object],
        remembered: Callable[[Passage], object],
        max_entry_bytes: int,
    ) -> None:
        self._books = books
        self._screening = screening
        self._leasing = leasing
        self._caching = caching
        self._conversation = conversation
        self._flights = flights
        self._refresh = refresh
        self._remembered = remembered
        self._max_entry_bytes = max_entry_bytes

    async def serve(self, way: Passage, found: Found) -> Reply:
        """Replay a stored answer in the shape that was asked for; it costs nothing."""
        facts, entry = way.facts, found.entry
        assert entry is not None
        facts.backend, facts.model = entry.backend, entry.model
        facts.age_s, facts.is_stale = self._caching.age_s(entry), self._caching.is_stale(entry)
        usage = Usage.of(entry.prompt_tokens, entry.completion_tokens)
        if way.recall.is_active:
            await self._remember(way, replayed_whole(entry).raw, is_out=False)
        self._books.replayed(way, usage, entry.cost_micro_usd)
        if facts.is_stale:
            self._refresh(facts.fingerprint, way)
        gate = self._screening.gate(way)
        if way.request.streaming:
            chunks = replayed(entry, with_usage=way.request.wants_usage_chunk)
            return Reply(facts, chunks=_restored(gate, chunks), leave=self._leave(way))
        self._leasing.release(way)
        [whole] = await gate.restored([replayed_whole(entry)])
        return Reply(facts, whole=whole)

    async def deliver(self, way: Passage, source: Call) -> Reply:
        """The answer that a call makes: while it comes, or when it is whole, as asked for."""
        facts = way.facts
        chunks = self.outgoing(way, source)
        try:
            if isinstance(source, Seat):
                await source.begun()
        except BaseException:
            await source.aclose()
            raise
        facts.backend, facts.model = source.heading.backend, source.heading.model
        if isinstance(source, Seat) and not source.leads:
            facts.cache = "flight"
        if way.request.streaming:
            return Reply(facts, chunks=chunks, source=source, leave=self._leave(way))
        whole: Chunk | None = None
        async with aclosing(chunks):
            async for batch in chunks:
                whole = batch[0]
        if whole is None:
            raise UpstreamFailed(f"{facts.backend} sent an empty reply", code="empty_reply")
        return Reply(facts, whole=whole)

    def _leave(self, way: Passage) -> Callable[[], None] | None:
        return None if way.lease is None else partial(self._leasing.release, way)

    async def outgoing(self, way: Passage, source: Call) -> AsyncGenerator[list[Chunk], None]:
        """The answer on its way to the caller: filtered, remembered, kept.

        Only a reply that came to its end is kept. One that a rule stopped is remembered as far as
        the caller got it. What is remembered and kept has placeholders, never what they stand for.
        """
        facts = way.facts
        gate, record = self._screening.gate(way), self._record(way)
        strip_usage = way.request.streaming and not way.request.wants_usage_chunk
        try:
            async with aclosing(source) as batches:
                async for batch in batches:
                    clean = await gate.check(batch)
                    if record is not None:
                        record.add(clean)
                    if facts.first_content_ms is None:
                        facts.first_content_ms = way.ask.trail.elapsed_ms()
                    out = _without_usage(clean) if strip_usage else clean
                    if out := await gate.restored(out):
                        yield out
                    if facts.blocked and way.request.streaming:
                        break
        finally:
            gate.close()
        if facts.blocked and way.request.streaming:
            for chunk in await self._stopped(way, record):
                yield [chunk]
        else:
            await self._ended(way, source, record, gate.rules)
        await self._leasing.settle(way)

    async def _ended(
        self, way: Passage, source: Call, record: Record | None, rules: set[str]
    ) -> None:
        """An answer has come to its end."""
        outcome = source.outcome
        if isinstance(source, Seat) and not source.leads:
            self._books.shared(way, outcome)
        if record is None:
            return
        try:
            if way.recall.is_active:
                await self._remember(way, record.body() if record.is_kept else None)
        finally:  # an answer to what was asked, though the conversation went on meanwhile
            self._land(way, source, record, outcome, rules)

    async def _stopped(self, way: Passage, record: Record | None) -> list[Chunk]:
        """A filter rule has ended a stream, and the call is closed: what its caller is told yet."""
        if record is not None and way.recall.is_active:
            await self._remember(way, record.body() if record.is_kept else None)
        usage = way.facts.usage
        return [usage_chunk(usage)] if usage is not None and way.request.wants_usage_chunk else []

    def _record(self, way: Passage) -> Record | None:
        """What holds the reply; None where nobody wants it afterwards."""
        if way.recall.is_active or (way.keeping is not None and way.ask.control.write):
            return Record(self._max_entry_bytes)
        return None

    def _land(
        self, way: Passage, source: Call, record: Record, outcome: Outcome, rules: set[str]
    ) -> None:
        """The answer is over: it is kept, once, by the first that read it to its end."""
        if isinstance(source, Seat):
            if not source.fills:
                return
            way.holder = source.holder
        kept = self._caching.keep(way, record, outcome, rules)
        if isinstance(source, Seat) and not kept and way.keeping is not None:
            self._flights.landed(way.keeping.scope, way.flight, False)

    async def _remember(self, way: Passage, body: bytes | None, *, is_out: bool = True) -> None:
        """Keep the turn; one whose answer was too long to hold is not kept, and that is said.

        Args:
            is_out: a stream has been told already.

        Raises:
            Conflict: somebody else spoke in between, and this turn cannot go after that.
        """
        said = None if body is None else answered(body)
        if said is not None and way.facts.blocked:
            said = replace(said, tool_calls=None) if said.content else None
        if said is not None and way.ask.keeps is not None and not way.ask.keeps(said):
            return
        late = is_out and way.request.streaming and _goes_after(way)
        kept = None
        if said is not None:
            kept = await self._conversation.remember(way.recall, said, way.new_names, late=late)
        way.facts.session_kept = kept is not None
        if kept is not None:
            way.facts.session, way.facts.session_version = kept.session, kept.version
            self._remembered(way)


def _goes_after(way: Passage) -> bool:
    """Whether a turn may follow one that it did not know."""
    is_free = way.ask.at_version is None
    return is_free and way.rules.policy.conversation.on_conflict == "retry"


async def _restored(
    gate: Gate, batches: AsyncGenerator[list[Chunk], None]
) -> AsyncGenerator[list[Chunk], None]:
    """A stored stream, which has passed the filter, for this caller."""
    async with aclosing(batches):
        async for batch in batches:
            if out := await gate.restored(batch):
                yield out


def _without_usage(chunks: list[Chunk]) -> list[Chunk]:
    """We always ask for usage; the caller gets its event only if it asked too."""
    if not any(chunk.usage is not None for chunk in chunks):
        return chunks
    return [chunk for chunk in chunks if not is_usage_only(chunk)]
