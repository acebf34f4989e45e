"""Which questions are asked often: lookups in, the most asked of a tenant out.

Each replica counts for itself and adds to the sums in Redis every two seconds. Counts fade: they
are halved every day.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from msgspec import Struct

from serve_app.core.kept import Found, Hot, Lookup, TopQuery
from serve_app.store import keys
from serve_app.store.client import Argument, Call, Store, StoreUnavailable

log = logging.getLogger(__name__)

INTERVAL_S: Final = 2.0
AFTER_BUG_S: Final = 10.0
KEPT: Final = 1000
"""Questions of a tenant in Redis; half as many more for a while."""
TEXT_CHARS: Final = 300
MOST_PENDING: Final = 4096
"""Questions counted here between two turns; what comes beyond is not counted."""
_DAY_S: Final = 86_400
_FORGOTTEN_S: Final = 7 * _DAY_S
_A_CALL: Final = 500
"""Questions in one call of the script, which stays below a millisecond or two."""


class _Count(Struct):
    text: str
    asked: int = 0
    hits: int = 0


class HotQuestions:
    """Counts questions. What cannot be told to Redis waits, within bounds."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pending: dict[tuple[str, str], _Count] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to add up in the background; call it in the running loop."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name="hot questions")

    async def close(self) -> None:
        """Stop, and tell Redis what was counted last."""
        if self._task is not None:
            task, self._task = self._task, None
            task.cancel()
            await asyncio.wait([task])
            await self.flush()

    def note(self, lookup: Lookup, found: Found) -> None:
        """Count a lookup that asks a question."""
        if lookup.question is None:
            return
        name = (lookup.tenant, lookup.fingerprint)
        count = self._pending.get(name)
        if count is None:
            if len(self._pending) >= MOST_PENDING:
                return
            count = self._pending[name] = _Count(lookup.question.text[:TEXT_CHARS])
        count.asked += 1
        count.hits += found.level != "miss"

    async def flush(self) -> bool:
        """Add what was counted to the sums; False if Redis is away and it waits on."""
        pending, self._pending = self._pending, {}
        if not pending:
            return True
        try:
            await self._store.scripts("hot", _calls(pending))
        except StoreUnavailable:
            self._take_back(pending)
            return False
        return True

    async def top(self, query: TopQuery) -> list[Hot]:
        """A tenant's questions, the most asked first.

        Raises:
            StoreUnavailable: nobody knows now.
        """
        tenant, last = query.tenant, min(query.limit, KEPT) - 1
        if last < 0:
            return []
        [ranked] = await self._store.pipeline(
            [("ZREVRANGE", keys.hot_questions(tenant, "asked"), 0, last, "WITHSCORES")]
        )
        if not ranked:
            return []
        names, asked = ranked[::2], ranked[1::2]
        texts, hits = await self._store.pipeline(
            [("HMGET", keys.hot_questions(tenant, kind), *names) for kind in ("texts", "hits")]
        )
        return [
            Hot(name.decode(), (text or b"").decode(), int(times), int(hit or 0))
            for name, times, text, hit in zip(names, asked, texts, hits, strict=True)
        ]

    def _take_back(self, pending: dict[tuple[str, str], _Count]) -> None:
        for name, since in self._pending.items():
            before = pending.get(name)
            if before is not None:
                before.asked += since.asked
                before.hits += since.hits
            elif len(pending) < MOST_PENDING:
                pending[name] = since
        self._pending = pending

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL_S)
            try:
                await self.flush()
            except Exception:  # the loop must live on, and the mistake be seen
                log.exception("hot questions could not be counted")
                await asyncio.sleep(AFTER_BUG_S)


def _calls(pending: dict[tuple[str, str], _Count]) -> list[Call]:
    """The script's calls: one for each tenant, several for one with many questions."""
    told: dict[str, list[list[Argument]]] = {}
    for (tenant, fingerprint), count in pending.items():
        batches = told.setdefault(tenant, [[]])
        if len(batches[-1]) >= 4 * _A_CALL:
            batches.append([])
        text = count.text.encode("utf-8", "replace")
        batches[-1] += [fingerprint, count.asked, count.hits, text]
    kinds = ("asked", "hits", "texts", "faded")
    return [
        ([keys.hot_questions(tenant, kind) for kind in kinds], [KEPT, _DAY_S, _FORGOTTEN_S, *args])
        for tenant, batches in told.items()
        for args in batches
    ]
