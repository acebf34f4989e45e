"""What a request has to do with the cache: known by what, found how, kept for how long."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from serve_app.cache.base import Cache
from serve_app.cache.key import prints
from serve_app.cache.rules import Keeping
from serve_app.core.clock import Clock
from serve_app.core.errors import Overloaded
from serve_app.core.kept import Check, Entry, Fill, Found, Lookup
from serve_app.flights.base import Outcome
from serve_app.passage import Passage
from serve_app.steps.background import Background
from serve_app.steps.record import Record
from serve_app.steps.replay import Life, entry_from

_MISS = Found("miss")


class Caching:
    """Marks requests, looks for their answers and keeps those that may be served again.

    Args:
        landed: told of each answer that was to be kept, once it is (or could not be).
    """

    def __init__(
        self, cache: Cache, clock: Clock, landed: Callable[[str, str, bool], None]
    ) -> None:
        self._cache = cache
        self._clock = clock
        self._landed = landed
        self.fills: Background[Fill] = Background("cache fills", self._fill)

    def mark(self, way: Passage) -> None:
        """Find out how the answer to a request is kept, and by what it is known."""
        identity, params = way.facts.identity, way.request.params
        keeping = way.rules.book.of(identity.tenant, params.model, way.ask.path)
        if not keeping.enabled:
            return
        alike = keeping.by_likeness(way.request)
        rules = f"{way.rules.scope}\n{way.filter_rules}"
        found = prints(way.request, keeping.scope, rules, alike=alike)
        if not found.exact:
            way.ask.trail.note("cache", "off", why=found.why)
            return
        way.keeping = keeping
        way.asked_at = self._clock.wall()
        way.facts.fingerprint = found.exact
        way.flight = _flight(way, found.exact)
        if found.question is not None:
            life_s = min(keeping.semantic_ttl_s, keeping.life_s(way.request))
            way.question = replace(found.question, ttl_s=0 if way.for_ever else life_s)

    async def look_up(self, way: Passage) -> Found:
        """What is stored for a marked request; a miss may have been told what it would have got."""
        keeping, control = way.keeping, way.ask.control
        if keeping is None:
            return _MISS
        if not control.read:
            way.facts.cache = "bypass"
            return _MISS
        since = way.ask.trail.elapsed_ms()
        lookup = Lookup(
            way.facts.fingerprint,
            keeping.scope,
            control.max_age_s,
            way.holder,
            way.question,
            way.flight,
        )
        found = _MISS
        try:
            [found] = await self._cache.lookup([lookup])
        except Overloaded as error:  # a cache that is away is a miss
            way.ask.trail.note("cache", "away", since, why=error.message)
        else:
            self._note(way, found, since)
        way.facts.cache = found.level
        return found

    async def recall(self, way: Passage) -> Entry | None:
        """The answer to a marked request, if it has been kept meanwhile."""
        assert way.keeping is not None
        try:
            [found] = await self._cache.lookup([Lookup(way.facts.fingerprint, way.keeping.scope)])
        except Overloaded:
            return None
        return found.entry

    def _note(self, way: Passage, found: Found, since: float) -> None:
        likeness = found.likeness
        if likeness is None:
            way.ask.trail.note("cache", found.level, since)
            return
        if likeness.verify:
            way.check = Check(likeness.fingerprint, likeness.score, likeness.cosine)
        decision = "verify" if likeness.verify else found.level
        facts = {"cosine": likeness.cosine, "score": likeness.score}
        way.ask.trail.note("cache", decision, since, **facts)

    def is_stale(self, entry: Entry) -> bool:
        return 0 < entry.fresh_until <= self._clock.wall()

    def age_s(self, entry: Entry) -> int:
        return max(0, int(self._clock.wall() - entry.stored_at))

    def keep(self, way: Passage, record: Record, outcome: Outcome, rules: set[str]) -> bool:
        """Hand a finished answer to the cache, soon after; False if it is not one to be kept."""
        fill = self.fill_of(way, record, outcome, rules)
        if fill is None:
            return False
        self.fills.put(fill)
        return True

    async def keep_now(self, fill: Fill) -> bool:
        """Hand an answer to the cache, and wait until it is there."""
        [kept] = await self._cache.fill([fill])
        return kept

    def fill_of(
        self, way: Passage, record: Record, outcome: Outcome, rules: set[str]
    ) -> Fill | None:
        """What the cache is given for a finished answer; None: it is not one to serve again.

        Kept is what came to an end of its own, or to the caller's own token limit; not what
        broke off, was mended, or had to be shortened, and not what has passed other filter rules
        than its question.

        Args:
            rules: digests of the rules that it has passed.
        """
        keeping, request = way.keeping, way.request
        if keeping is None or not way.ask.control.write or not outcome.repeatable:
            return None
        whole = record.is_complete or (
            request.max_output_tokens is not None and record.ended_by_limit()
        )
        if not (whole and record.is_kept) or rules - {way.filter_rules}:
            return None
        return Fill(
            way.facts.fingerprint,
            entry_from(record, outcome, self._life(way, keeping)),
            keeping.scope,
            way.holder,
            way.asked_at,
            way.question,
            way.check,
            way.flight,
        )

    def _life(self, way: Passage, keeping: Keeping) -> Life:
        now = self._clock.wall()
        if way.for_ever:
            return Life(now, 0.0, tags=way.ask.control.tags)
        life_s = keeping.life_s(way.request)
        return Life(
            stored_at=now,
            expires_at=now + life_s + keeping.stale_s,
            fresh_until=now + life_s if keeping.stale_s else 0.0,
            tags=way.ask.control.tags,
        )

    async def _fill(self, fills: list[Fill]) -> None:
        kept = [False] * len(fills)
        try:
            kept = await self._cache.fill(fills)
        except Overloaded:  # the cache is away
            pass
        finally:
            for fill, is_kept in zip(fills, kept, strict=True):
                self._landed(fill.tenant, fill.flight or fill.fingerprint, is_kept)


def _flight(way: Passage, fingerprint: str) -> str:
    """Nobody who waits for an answer shares that of a program, which may come much later."""
    parts = [fingerprint]
    if way.request.streaming:
        parts.append("stream")
    if way.ask.priority == "batch":
        parts.append("batch")
    return ".".join(parts)
