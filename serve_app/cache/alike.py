"""The third level's place among the others: which stored answer an alike question leads to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from serve_app.cache.levels import Levels
from serve_app.config.policy import SemanticPolicy
from serve_app.core.kept import Entry, Fill, Found, Likeness, Lookup, Purge, Question


class Semantic(Protocol):
    """Finds alike questions. Redis or an embedder that is away is no error here."""

    @property
    def questions(self) -> int:
        """How many are known here."""

    def start(self) -> None: ...

    async def close(self) -> None: ...

    def reconfigure(self, policy: SemanticPolicy) -> None:
        """Use another policy from the next question on."""

    async def lookup(self, tenant: str, question: Question) -> Likeness | None:
        """The most alike question whose answer may do."""

    async def add(self, tenant: str, fill: Fill) -> None:
        """Know the question of a stored answer from now on."""

    async def check(self, tenant: str, fill: Fill, served: Entry) -> None:
        """Compare a fresh answer with the one that would have been served."""

    async def verdicts(self) -> tuple[int, int]:
        """Answers compared and, of those, wrong ones; of the whole service."""

    def forget(self, tenant: str, purge: Purge) -> None:
        """Questions whose answers were purged; tenant empty: of all."""

    def dropped(self, tenant: str, fingerprint: str) -> None:
        """A question's answer is gone."""


class Alike:
    """Fills in what equal requests did not find, and lets the semantic level learn."""

    def __init__(self, semantic: Semantic, levels: Levels) -> None:
        self._semantic = semantic
        self._levels = levels

    async def find(self, batch: Sequence[Lookup], found: list[Found]) -> None:
        """Put answers to alike questions in the place of misses. A flight that was to begin for
        one is ended."""
        asking = [
            at
            for at, item in enumerate(found)
            if item.entry is None and batch[at].question is not None
        ]
        if not asking:
            return
        answers = await asyncio.gather(*(self._alike(batch[at], found[at].leads) for at in asking))
        for at, answer in zip(asking, answers, strict=True):
            found[at] = answer or found[at]
        served = [batch[at] for at in asking if found[at].level == "semantic"]
        if served:
            await self._levels.release(served)

    async def learn(self, fills: Sequence[Fill], kept: Sequence[bool]) -> None:
        """Compare the answers that were to be compared, and let the new ones be found."""
        await asyncio.gather(*(self._compare(fill) for fill in fills if fill.check is not None))
        await asyncio.gather(
            *(
                self._semantic.add(fill.tenant, fill)
                for fill, is_kept in zip(fills, kept, strict=True)
                if is_kept and fill.question is not None
            )
        )

    async def _alike(self, item: Lookup, leads: bool) -> Found | None:
        """The answer to an alike question. With `verify` it is a miss that brings along what would
        have been served, for the one who makes the answer to compare."""
        assert item.question is not None
        likeness = await self._semantic.lookup(item.tenant, item.question)
        if likeness is None:
            return None
        entry = await self._entry(item.tenant, likeness.fingerprint, item.max_age_s)
        if entry is None:
            return None
        if not likeness.verify:
            return Found("semantic", entry, leads, likeness)
        return Found("miss", entry, leads, likeness) if leads else None

    async def _compare(self, fill: Fill) -> None:
        assert fill.check is not None
        served = await self._entry(fill.tenant, fill.check.fingerprint)
        if served is not None:
            await self._semantic.check(fill.tenant, fill, served)

    async def _entry(
        self, tenant: str, fingerprint: str, max_age_s: int | None = None
    ) -> Entry | None:
        """A stored answer by name. The semantic level hears of one that is gone."""
        entry, is_known = await self._levels.entry(tenant, fingerprint)
        if entry is None and is_known:
            self._semantic.dropped(tenant, fingerprint)
        return entry if entry is None or self._levels.is_young(entry, max_age_s) else None
