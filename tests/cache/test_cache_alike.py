"""What the stage does with likeness, over a semantic level that takes texts for alike that differ
only in upper and lower case."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from cache_world import entry, filled, stage
from msgspec.structs import replace

from serve_app.config.policy import SemanticPolicy
from serve_app.config.structure import CacheStructure, RedisSettings
from serve_app.core.clock import SystemClock
from serve_app.core.kept import Check, Entry, Fill, Found, Likeness, Lookup, Purge, Question
from serve_app.store import keys
from serve_app.store.client import Store


@dataclass
class CaseBlind:
    """`verify`: every likeness is to be verified."""

    verify: bool = False
    known: dict[tuple[str, str, str], str] = field(default_factory=dict)
    compared: list[tuple[bytes, bytes]] = field(default_factory=list)
    forgotten: list[tuple[str, Purge]] = field(default_factory=list)
    running: bool = False

    @property
    def questions(self) -> int:
        return len(self.known)

    def start(self) -> None:
        self.running = True

    async def close(self) -> None:
        self.running = False

    async def lookup(self, tenant: str, question: Question) -> Likeness | None:
        found = self.known.get(_name(tenant, question))
        return None if found is None else Likeness(found, 0.9, 0.8, self.verify)

    async def add(self, tenant: str, fill: Fill) -> None:
        assert fill.question is not None
        self.known[_name(tenant, fill.question)] = fill.fingerprint

    async def check(self, tenant: str, fill: Fill, served: Entry) -> None:
        self.compared.append((fill.entry.payload, served.payload))

    async def verdicts(self) -> tuple[int, int]:
        wrong = sum(fresh != served for fresh, served in self.compared)
        return len(self.compared), wrong

    def forget(self, tenant: str, purge: Purge) -> None:
        self.forgotten.append((tenant, purge))

    def reconfigure(self, policy: SemanticPolicy) -> None:
        """Nothing here depends on it."""

    def dropped(self, tenant: str, fingerprint: str) -> None:
        self.known = {
            name: known
            for name, known in self.known.items()
            if (name[0], known) != (tenant, fingerprint)
        }


def _name(tenant: str, question: Question) -> tuple[str, str, str]:
    return tenant, question.partition, question.text.lower()


def asking(text: str, *, holder: str = "", max_age_s: int | None = None) -> Lookup:
    return Lookup(f"fp of {text}", "t", max_age_s, holder, Question("p", text))


def answering(text: str, check: Check | None = None) -> Fill:
    fill = filled(f"fp of {text}", payload=text.encode())
    return replace(fill, question=Question("p", text), check=check)


async def lease(store: Store, text: str) -> bytes | None:
    return await store.get(keys.flight_lease("t", f"fp of {text}"))


async def test_an_alike_question_is_answered_by_what_is_near_or_in_redis(store: Store) -> None:
    semantic = CaseBlind()
    await stage(store, semantic).fill([answering("Why?")])
    cache = stage(store, semantic)
    for _ in range(2):
        [found] = await cache.lookup([asking("why?")])
        assert found == Found("semantic", found.entry, True, Likeness("fp of Why?", 0.9, 0.8))
        assert found.entry is not None
        assert found.entry.payload == b"Why?"


async def test_an_equal_request_needs_no_likeness(store: Store) -> None:
    cache = stage(store, CaseBlind())
    await cache.fill([answering("Why?")])
    [found] = await cache.lookup([asking("Why?")])
    assert (found.level, found.likeness) == ("l1", None)


async def test_a_semantic_hit_ends_the_flight_that_it_took(store: Store) -> None:
    cache = stage(store, CaseBlind())
    await cache.fill([answering("Why?")])
    found = await cache.lookup([asking("why?", holder="a"), asking("how?", holder="a")])
    assert [item.level for item in found] == ["semantic", "miss"]
    assert [await lease(store, text) for text in ("why?", "how?")] == [None, b"a"]


async def test_a_semantic_hit_leaves_the_flight_of_another(store: Store) -> None:
    cache = stage(store, CaseBlind())
    await cache.lookup([asking("why?", holder="b")])
    await cache.fill([answering("Why?")])
    [found] = await cache.lookup([asking("why?", holder="a")])
    assert (found.level, found.leads) == ("semantic", False)
    assert await lease(store, "why?") == b"b"


async def test_to_verify_is_a_miss_that_brings_along_what_would_have_been_served(
    store: Store,
) -> None:
    cache = stage(store, CaseBlind(verify=True))
    await cache.fill([answering("Why?")])
    [leader] = await cache.lookup([asking("why?", holder="a")])
    [other] = await cache.lookup([asking("why?", holder="b")])
    assert (leader.level, leader.leads) == ("miss", True)
    assert leader.entry is not None
    assert leader.likeness == Likeness("fp of Why?", 0.9, 0.8, True)
    assert await lease(store, "why?") == b"a"
    assert other == Found("miss", leads=False)


async def test_a_fresh_answer_is_compared_with_what_would_have_been_served(store: Store) -> None:
    semantic = CaseBlind()
    cache = stage(store, semantic)
    await cache.fill([answering("Why?")])
    check = Check("fp of Why?", 0.8, 0.9)
    await stage(store, semantic).fill([answering("why?", check), answering("WHY?", check)])
    assert semantic.compared == [(b"why?", b"Why?"), (b"WHY?", b"Why?")]
    [state] = await cache.state([True])
    assert (state.questions, state.verified, state.wrong, state.wrong_share) == (1, 2, 2, 1.0)
    assert 0 < state.wrong_low < state.wrong_high == 1.0


async def test_what_was_not_kept_is_not_found_by_likeness_but_compared(store: Store) -> None:
    semantic = CaseBlind()
    cache = stage(store, semantic, CacheStructure(max_entry_bytes=4))
    await cache.fill([answering("Why?")])
    await cache.fill([answering("why so?", Check("fp of Why?", 0.8, 0.9))])
    assert semantic.questions == 1
    assert semantic.compared == [(b"why so?", b"Why?")]


async def test_an_answer_that_is_gone_is_a_miss_and_the_level_is_told(store: Store) -> None:
    semantic = CaseBlind()
    await stage(store, semantic).fill([answering("Why?")])
    await store.delete(keys.cache_entry("t", "fp of Why?"))
    [found] = await stage(store, semantic).lookup([asking("why?")])
    assert (found.level, found.entry, found.likeness) == ("miss", None, None)
    assert semantic.questions == 0


async def test_an_answer_that_cannot_be_looked_for_is_not_gone(tmp_path: Path) -> None:
    away = Store(RedisSettings(timeout_ms=200), SystemClock(), f"unix://{tmp_path}/nobody.sock")
    semantic = CaseBlind()
    semantic.known["t", "p", "why?"] = "elsewhere"
    try:
        [found] = await stage(away, semantic).lookup([asking("Why?")])
    finally:
        await away.close()
    assert (found.level, semantic.questions) == ("miss", 1)


async def test_an_older_answer_than_wanted_is_a_miss_by_likeness_too(store: Store) -> None:
    semantic = CaseBlind()
    cache = stage(store, semantic)
    fill = answering("Why?")
    fill.entry.stored_at -= 100
    await cache.fill([fill])
    ages = (50, 150)
    found = [(await cache.lookup([asking("why?", max_age_s=age)]))[0] for age in ages]
    assert [item.level for item in found] == ["miss", "semantic"]
    assert semantic.questions == 1


async def test_a_lookup_without_question_is_not_answered_by_likeness(store: Store) -> None:
    cache = stage(store, CaseBlind())
    await cache.fill([answering("Why?"), Fill("plain", entry(), "t")])
    [found] = await cache.lookup([replace(asking("why?"), question=None)])
    assert found.level == "miss"


async def test_a_purge_is_told_once_it_is_new(store: Store) -> None:
    semantic, late = CaseBlind(), CaseBlind()
    await stage(store, semantic).purge([Purge(tenant="t", tag="x")])
    assert semantic.forgotten[0] == ("t", Purge(tenant="t", tag="x"))
    await stage(store, late).lookup([asking("Why?")])
    assert late.forgotten == []


async def test_it_starts_and_stops_with_the_stage() -> None:
    semantic = CaseBlind()
    cache = stage(None, semantic)
    cache.start()
    assert semantic.running
    await cache.close()
    assert not semantic.running
