"""The third level: answers to questions that are not equal but mean the same.

A question only ever meets those of its partition, which are equal to it in all else (tenant,
system prompt, tools, conversation, parameters). The embedder finds the nearest of them, the judge
says how likely one answer serves both, and the bound whether that is enough.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict, deque
from random import Random
from typing import Final

import numpy as np

from serve_app.cache.semantic.ann import GraphIndex
from serve_app.cache.semantic.answers import said
from serve_app.cache.semantic.base import Embedder, EmbedderUnavailable, Embedding, Judge, Sample
from serve_app.cache.semantic.bound import Bound, Observation
from serve_app.cache.semantic.index import ExactIndex, Index, Near
from serve_app.cache.semantic.partition import Known, Partition
from serve_app.cache.semantic.records import Added, Dropped, Log, Observed, Record
from serve_app.cache.semantic.verdicts import Verdicts
from serve_app.config.policy import SemanticPolicy
from serve_app.config.structure import SemanticStructure
from serve_app.core.clock import Clock
from serve_app.core.kept import Entry, Fill, Likeness, Purge, Question
from serve_app.store.client import Store
from serve_app.store.errors import StoreUnavailable

log = logging.getLogger(__name__)

_NEAREST: Final = 4
"""So many are judged; with eight the benchmark found no more hits."""

_LEAST_COSINE: Final = 0.3
"""Less than of any pair that is served in the data at hand, where the least is 0.47."""

_REST_S: Final = 10.0
"""After the embedder failed it is left alone for so long."""

_FOR_EVER_S: Final = 10 * 365 * 86400

_STAGES: Final = ("log", "embed", "search", "judge")


class Room:
    """A partition in this process, and its log if there is a Redis."""

    def __init__(self, partition: Partition, log: Log | None) -> None:
        self.partition = partition
        self.log = log
        self.reading = asyncio.Lock()


class SemanticLevel:
    """Finds answers by likeness; implements `cache.alike.Semantic`.

    Args:
        store: through which replicas share what they know; None: this process only.
        rng: draws which would-be hits are verified.
    """

    def __init__(
        self,
        policy: SemanticPolicy,
        structure: SemanticStructure,
        store: Store | None,
        embedder: Embedder,
        judge: Judge,
        clock: Clock,
        rng: Random,
    ) -> None:
        self._policy = policy
        self._structure = structure
        self._store = store
        self._embedder = embedder
        self._judge = judge
        self._clock = clock
        self._bound = Bound(policy, rng)
        self._verdicts = Verdicts(store)
        self._rooms: OrderedDict[tuple[str, str], Room] = OrderedDict()
        self._rests_until = float("-inf")
        self._later: set[asyncio.Task[None]] = set()
        self._times: dict[str, deque[float]] = {stage: deque(maxlen=1000) for stage in _STAGES}

    # ------------------------------------------------------------------- its life

    def start(self) -> None:
        """Begin to count verdicts; call it in the running loop."""
        self._verdicts.start()

    async def close(self) -> None:
        await self._verdicts.close()
        for task in list(self._later):
            task.cancel()
        await asyncio.gather(*self._later, return_exceptions=True)
        await self._embedder.close()

    def reconfigure(self, policy: SemanticPolicy) -> None:
        """Use another policy from the next question on."""
        self._policy = policy
        self._bound.reconfigure(policy)

    @property
    def questions(self) -> int:
        """How many are known in this process."""
        return sum(len(room.partition) for room in self._rooms.values())

    @property
    def nbytes(self) -> int:
        """Memory that they take."""
        return sum(room.partition.nbytes for room in self._rooms.values())

    def timings(self) -> dict[str, list[float]]:
        """Microseconds of the parts of the latest lookups."""
        return {stage: list(times) for stage, times in self._times.items()}

    # ------------------------------------------------------------------- questions

    async def lookup(self, tenant: str, question: Question) -> Likeness | None:
        """The most alike question whose answer may do; None: there is none."""
        if not self._is_of_use(question.text):
            return None
        room = self.room(tenant, question.partition)
        await self._catch_up(room)
        if not len(room.partition):  # most: embedding is what costs
            return None
        vector = await self._embedded(question.text)
        if vector is None:
            return None
        near = await self._nearest(room.partition, vector)
        return self._judged(room.partition, question.text, near)

    async def add(self, tenant: str, fill: Fill) -> None:
        """Know the question of a stored answer from now on."""
        question = fill.question
        if question is None or not self._is_of_use(question.text):
            return
        embedding = await self._embedded(question.text)
        if embedding is None:
            return
        now, entry = self._clock.wall(), fill.entry
        ends = now + question.ttl_s if question.ttl_s else entry.expires_at or float("inf")
        added = Added(
            fingerprint=fill.fingerprint,
            text=question.text,
            vector=embedding.vector.astype(np.float16).tobytes(),
            expires_at=min(ends, entry.expires_at or float("inf")),
            asked_at=fill.asked_at or now,
            aspects=embedding.aspects,
            model=entry.model,
            backend=entry.backend,
            tags=entry.tags,
            size=len(entry.payload),
            cost_micro_usd=entry.cost_micro_usd,
        )
        await self._record(self.room(tenant, question.partition), added)
        self._make_room()

    async def check(self, tenant: str, fill: Fill, served: Entry) -> None:
        """Learn from a fresh answer how good the one was that would have been served."""
        question, check = fill.question, fill.check
        if question is None or check is None:
            return
        room = self.room(tenant, question.partition)
        known = room.partition.known.get(check.fingerprint)
        fresh, old = said(fill.entry), said(served)
        if known is None or fresh is None or old is None:
            return
        same = fresh == old
        if not same:
            a, b = await asyncio.gather(self._embedded(fresh), self._embedded(old))
            if a is None or b is None:
                return
            same = self._judge.alike(fresh, old, float(a.vector @ b.vector))
        if self._bound.is_enough(check.score, known.observed):
            self._verdicts.count(same)
        await self._record(room, Observed(check.fingerprint, check.score, same))

    async def verdicts(self) -> tuple[int, int]:
        """Would-be hits that were compared and, of those, wrong ones; of the whole service."""
        return await self._verdicts.total()

    def forget(self, tenant: str, purge: Purge) -> None:
        """Drop questions whose answers were purged; tenant empty: of all."""
        for (owner, _), room in self._rooms.items():
            if not tenant or owner == tenant:
                room.partition.forget(purge)

    def dropped(self, tenant: str, fingerprint: str) -> None:
        """A question's answer is gone: nobody shall look for it again."""
        for (owner, _), room in self._rooms.items():
            if owner == tenant and fingerprint in room.partition.known:
                room.partition.drop(fingerprint)
                self._do_later(room, Dropped(fingerprint))

    # --------------------------------------------------------------------- judging

    def _judged(self, partition: Partition, text: str, near: list[Near]) -> Likeness | None:
        """What to do with the best of the nearest."""
        began = time.perf_counter()
        asked = Sample(text)
        best: tuple[float, Near, Known] | None = None
        for one in near:
            known = partition.known.get(one.name)
            if known is None:
                continue
            stored = Sample(known.added.text, known.added.aspects)
            score = self._judge.score(asked, stored, one.cosine)
            if score > 0.0 and (best is None or score > best[0]):
                best = score, one, known
        self._times["judge"].append((time.perf_counter() - began) * 1e6)
        return None if best is None else self._decided(*best)

    def _decided(self, score: float, near: Near, known: Known) -> Likeness | None:
        if self._policy.decide == "threshold":
            if near.cosine < self._policy.similarity:
                return None
            decision = "serve"
        else:
            decision = self._bound.decide(score, known.observed)
        if decision == "pass":
            return None
        known.hits += 1
        return Likeness(near.name, near.cosine, score, verify=decision == "verify")

    async def _nearest(self, partition: Partition, embedding: Embedding) -> list[Near]:
        began = time.perf_counter()
        index, vector = partition.index, embedding.vector
        if index is None:
            return []
        if index.is_slow:
            names = await asyncio.to_thread(index.search, vector, _NEAREST)
        else:
            names = index.search(vector, _NEAREST)
        nearest = partition.nearest(vector, names, self._clock.wall())
        near = [one for one in nearest if one.cosine >= _LEAST_COSINE]
        self._times["search"].append((time.perf_counter() - began) * 1e6)
        return near

    def _is_of_use(self, text: str) -> bool:
        return (
            0 < len(text) <= self._policy.max_chars
            and not text.isspace()
            and self._clock.monotonic() >= self._rests_until
        )

    async def _embedded(self, text: str) -> Embedding | None:
        began = time.perf_counter()
        try:
            [embedding] = await self._embedder.embed([text])
        except EmbedderUnavailable as error:
            self._rests_until = self._clock.monotonic() + _REST_S
            log.warning("no answers by likeness for %.0f s: %s", _REST_S, error)
            return None
        self._times["embed"].append((time.perf_counter() - began) * 1e6)
        return embedding

    # ------------------------------------------------------------------ partitions

    def room(self, tenant: str, partition: str) -> Room:
        """A partition, here from now on."""
        room = self._rooms.get((tenant, partition))
        if room is None:
            most = self._structure.max_questions
            kept: Log | None = None
            if self._store is not None:
                kept = Log(self._store, tenant, partition, self._embedder.name, most)
            room = Room(Partition(self._new_index, most), kept)
            self._rooms[tenant, partition] = room
        self._rooms.move_to_end((tenant, partition))
        return room

    def _new_index(self, dims: int) -> Index:
        if self._structure.index == "ann":
            return GraphIndex(dims, self._structure.ann_from)
        return ExactIndex(dims)

    def _make_room(self) -> None:
        """Let go of partitions that were not asked of for longest; Redis still has them."""
        while len(self._rooms) > 1 and self.nbytes > self._structure.bytes:
            self._rooms.popitem(last=False)

    async def _catch_up(self, room: Room) -> None:
        """Hear what other replicas recorded."""
        if room.log is None:
            return
        async with room.reading:
            began = time.perf_counter()
            try:
                news = await room.log.news()
            except StoreUnavailable:
                return
            self._times["log"].append((time.perf_counter() - began) * 1e6)
            self._apply(room, news)
        if news:
            self._make_room()

    async def _record(self, room: Room, record: Record) -> None:
        """Tell the others; without them it is only known here."""
        if room.log is not None:
            try:
                await room.log.append([record], self._life_s(record))
                await self._catch_up(room)
                return
            except StoreUnavailable:
                pass
        self._apply(room, [record])

    def _life_s(self, record: Record) -> int:
        """Seconds for which the log is kept after a record."""
        ends = isinstance(record, Added) and record.expires_at == float("inf")
        return _FOR_EVER_S if ends else self._policy.ttl_s

    def _apply(self, room: Room, records: list[Record]) -> None:
        seen = room.partition.apply(records, self._clock.wall())
        if seen:
            self._bound.observe(*(Observation(one.score, one.same) for one in seen))

    def _do_later(self, room: Room, record: Record) -> None:
        task = asyncio.get_running_loop().create_task(self._record(room, record))
        self._later.add(task)
        task.add_done_callback(self._later.discard)
