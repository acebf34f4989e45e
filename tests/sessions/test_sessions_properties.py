"""Whatever is done to conversations, they are as a list of lists would be."""

from __future__ import annotations

import asyncio
import itertools

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serve_app.config.policy import ConversationPolicy
from serve_app.config.structure import RedisSettings
from serve_app.core.clock import SystemClock
from serve_app.core.types import Message
from serve_app.sessions.items import Items
from serve_app.sessions.seal import Seals
from serve_app.sessions.store import Conversations, Moved
from serve_app.store.client import Store
from serve_app.store.embedded import EmbeddedValkey

KEPT = 4
NAMES = ("a", "b", "c")
_fresh = itertools.count()

_SESSION = st.sampled_from(NAMES)
_DEED = st.one_of(
    st.tuples(st.just("append"), _SESSION, st.none() | st.integers(0, 6), st.booleans()),
    st.tuples(st.just("race"), _SESSION, st.integers(2, 4)),
    st.tuples(st.just("fork"), _SESSION, st.integers(0, 6), _SESSION),
    st.tuples(st.just("delete"), _SESSION),
    st.tuples(st.just("strike"), _SESSION, st.integers(0, 6)),
)


class World:
    """Conversations in Redis, and what they should be."""

    def __init__(self, conversations: Conversations) -> None:
        self.tenant = f"t{next(_fresh)}"
        self.conversations = conversations
        self.items = Items(conversations)
        self.model: dict[str, list[str | None]] = {}
        self._texts = itertools.count()

    async def do(self, deed: tuple[object, ...]) -> None:
        await getattr(self, str(deed[0]))(*deed[1:])

    async def append(self, name: str, expected: int | None, late: bool) -> None:
        turns, text = self.model.get(name, []), str(next(self._texts))
        fits = expected is None or expected == len(turns) or (late and expected < len(turns))
        said = [Message("user", text)]
        try:
            came_to = await self.conversations.append(self.tenant, name, said, expected, late=late)
        except Moved as moved:
            came_to = -moved.version
        assert came_to == (len(turns) + 1 if fits else -len(turns))
        if fits:
            self.model[name] = [*turns, text]

    async def race(self, name: str, many: int) -> None:
        """Several see the same version; one of them is added."""
        turns = self.model.get(name, [])
        texts = [str(next(self._texts)) for _ in range(many)]
        answers = await asyncio.gather(
            *(
                self.conversations.append(self.tenant, name, [Message("user", t)], len(turns))
                for t in texts
            ),
            return_exceptions=True,
        )
        [won] = [t for t, a in zip(texts, answers, strict=True) if a == len(turns) + 1]
        self.model[name] = [*turns, won]

    async def fork(self, source: str, at: int, target: str) -> None:
        turns = self.model.get(source, [])
        fits = len(turns) >= at and target not in self.model
        try:
            assert await self.conversations.fork(self.tenant, source, at, target) == at
        except Moved:
            assert not fits
        else:
            assert fits
            forgotten = [None] * max(0, min(at, len(turns) - KEPT))
            self.model[target] = [*forgotten, *turns[len(forgotten) : at]]

    async def delete(self, name: str) -> None:
        there = self.model.pop(name, None) is not None
        assert await self.conversations.delete(self.tenant, name) == there

    async def strike(self, name: str, number: int) -> None:
        """Delete what was said in one turn."""
        turns = self.model.get(name, [])
        kept = range(max(0, len(turns) - KEPT), len(turns))
        there = number in kept and turns[number] is not None
        assert await self.items.delete_turn(self.tenant, name, number) == there
        if there:
            turns[number] = None

    async def check(self) -> None:
        for name in NAMES:
            turns = self.model.get(name, [])
            thread = await self.conversations.read(self.tenant, name)
            assert thread.version == len(turns)
            texts = [text for text in turns[-KEPT:] if text is not None]
            assert [message.content for message in thread.messages] == texts
            page = await self.items.page(self.tenant, name, newest=False)
            assert [item.message.content for item in page.items] == texts
            assert all(turns[item.turn] == item.message.content for item in page.items)


async def _play(url: str, deeds: list[tuple[object, ...]], encrypt: bool) -> None:
    store = Store(RedisSettings(timeout_ms=5000), SystemClock(), url)
    policy = ConversationPolicy(max_turns=KEPT)
    seals = Seals("a key of this very test")
    world = World(Conversations(store, policy, SystemClock(), seals=seals, encrypt=encrypt))
    try:
        for deed in deeds:
            await world.do(deed)
            await world.check()
    finally:
        await store.close()


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(deeds=st.lists(_DEED, max_size=15), encrypt=st.booleans())
def test_conversations_are_as_a_list_of_turns_would_be(
    clean_valkey: EmbeddedValkey, deeds: list[tuple[object, ...]], encrypt: bool
) -> None:
    asyncio.run(_play(clean_valkey.url, deeds, encrypt))
