"""Alike questions find one another: over replicas, restarts and purges, and only as they may."""

from __future__ import annotations

import asyncio
import json
from random import Random
from typing import Any

import pytest
from alike_words import ShareJudge, WordEmbedder

from serve_app.cache.semantic.level import SemanticLevel
from serve_app.config.policy import SemanticPolicy
from serve_app.config.structure import SemanticStructure
from serve_app.core.clock import SystemClock
from serve_app.core.kept import Check, Entry, Fill, Likeness, Purge, Question
from serve_app.store.client import Store

CLOCK = SystemClock()


def level(store: Store | None = None, **fields: Any) -> SemanticLevel:
    structure = SemanticStructure(max_questions=fields.pop("most", 1000))
    embedder = fields.pop("embedder", None) or WordEmbedder()
    policy = SemanticPolicy.model_validate({"verify_share": 0.0, **fields})
    return SemanticLevel(policy, structure, store, embedder, ShareJudge(), CLOCK, Random(1))


def answer(text: str, **fields: Any) -> Entry:
    body = {"choices": [{"index": 0, "message": {"content": text}, "finish_reason": "stop"}]}
    now = CLOCK.wall()
    made = {"streamed": False, "payload": json.dumps(body).encode(), "backend": "b", "model": "m",
            "prompt_tokens": 1, "completion_tokens": 1, "cost_micro_usd": 10, "stored_at": now,
            "expires_at": now + 100}  # fmt: skip
    return Entry(**{**made, **fields})


def fill(name: str, text: str, said: str = "yes", partition: str = "p", **more: Any) -> Fill:
    check = more.pop("check", None)
    question = Question(partition, text, more.pop("ttl_s", 60))
    return Fill(
        name, answer(said, **more), "t", asked_at=CLOCK.wall(), question=question, check=check
    )


async def ask(of: SemanticLevel, text: str, partition: str = "p") -> Likeness | None:
    return await of.lookup("t", Question(partition, text))


async def test_an_alike_question_is_found_and_another_is_not() -> None:
    one = level()
    await one.add("t", fill("f1", "how do I cancel my order"))
    found = await ask(one, "cancel my order how do I")
    assert found is not None
    assert (found.fingerprint, found.verify) == ("f1", False)
    assert found.cosine == pytest.approx(1.0, abs=0.01)
    assert await ask(one, "how do I cancel my order 7") is None
    assert await ask(one, "what is the weather") is None


async def test_likeness_never_leaves_its_partition_or_tenant() -> None:
    one = level()
    await one.add("t", fill("f1", "how do I cancel"))
    assert await ask(one, "how do I cancel", partition="q") is None
    assert await one.lookup("u", Question("p", "how do I cancel")) is None


async def test_what_one_replica_stores_another_finds_at_once_and_after_a_restart(
    store: Store,
) -> None:
    one, other = level(store), level(store)
    await one.add("t", fill("f1", "how do I cancel"))
    assert await ask(other, "how do I cancel") is not None
    await one.add("t", fill("f2", "where is my parcel"))
    assert (await ask(other, "where is my parcel") or Likeness("", 0, 0)).fingerprint == "f2"
    assert (await ask(level(store), "how do I cancel") or Likeness("", 0, 0)).fingerprint == "f1"


async def test_a_wrong_answer_takes_a_question_out_everywhere(store: Store) -> None:
    one, other = level(store), level(store)
    await one.add("t", fill("f1", "how do I cancel"))
    assert await ask(other, "how do I cancel") is not None
    checked = fill("f2", "cancel how do I", "no", check=Check("f1", 0.9999, 1.0))
    for _ in range(12):
        await other.check("t", checked, answer("yes"))
    assert await ask(other, "how do I cancel") is None
    assert await ask(one, "how do I cancel") is None
    assert await other.verdicts() == (1, 1), "only what would have been served is counted"
    await other.close()
    assert await one.verdicts() == (1, 1)


async def test_equal_answers_in_other_shapes_are_right() -> None:
    one = level()
    await one.add("t", fill("f1", "how do I cancel"))
    checked = fill("f2", "how do I cancel", "yes", check=Check("f1", 0.9999, 1.0))
    await one.check("t", checked, answer("yes"))
    assert await one.verdicts() == (1, 0)
    assert await ask(one, "how do I cancel") is not None


async def test_would_be_hits_are_verified_as_often_as_the_policy_says() -> None:
    one = level(verify_share=1.0)
    await one.add("t", fill("f1", "how do I cancel"))
    found = await ask(one, "how do I cancel")
    assert found is not None
    assert found.verify


async def test_a_threshold_is_one_of_the_cosine_and_the_guards_hold_all_the_same() -> None:
    one = level(decide="threshold", similarity=0.6)
    await one.add("t", fill("f1", "how do I cancel my big order"))
    assert await ask(one, "how do I cancel my order") is not None
    assert await ask(one, "how do I cancel my big order 5") is None
    one.reconfigure(SemanticPolicy(decide="threshold", similarity=0.999))
    assert await ask(one, "how do I cancel my order") is None


async def test_a_question_ends_with_its_answer_or_before() -> None:
    one = level()
    await one.add("t", fill("f1", "how do I cancel", expires_at=CLOCK.wall() + 0.2))
    assert await ask(one, "how do I cancel") is not None
    async with asyncio.timeout(5):
        while await ask(one, "how do I cancel") is not None:
            await asyncio.sleep(0.02)
    assert one.questions == 0


@pytest.mark.parametrize(
    "purge", [Purge("t"), Purge("t", tag="x"), Purge("t", model="m"), Purge("t", fingerprint="f1")]
)
async def test_a_purge_is_of_what_matches(purge: Purge) -> None:
    one = level()
    await one.add("t", fill("f1", "how do I cancel", tags=("x",)))
    one.forget("t", Purge("t", model="other"))
    one.forget("u", Purge("u"))
    assert one.questions == 1
    one.forget("t", purge)
    assert one.questions == 0


async def test_a_question_whose_answer_is_gone_is_forgotten_by_all(store: Store) -> None:
    one, other = level(store), level(store)
    await one.add("t", fill("f1", "how do I cancel"))
    assert await ask(other, "how do I cancel") is not None
    other.dropped("t", "f1")
    assert other.questions == 0
    async with asyncio.timeout(5):
        while await ask(one, "how do I cancel") is not None:
            await asyncio.sleep(0.02)


async def test_the_least_worth_leave_first() -> None:
    one = level(most=50)
    await one.add("t", fill("dear", "how do I cancel", cost_micro_usd=10_000))
    for number in range(120):
        await one.add("t", fill(f"f{number}", f"word{number} and more", cost_micro_usd=1))
    assert one.questions <= 50
    assert await ask(one, "how do I cancel") is not None
    assert await ask(one, "word3 and more") is None
    assert await ask(one, "word119 and more") is not None


async def test_without_an_embedder_nothing_is_found_and_it_is_left_alone_for_a_while() -> None:
    embedder = WordEmbedder()
    one = level(embedder=embedder)
    await one.add("t", fill("f1", "how do I cancel"))
    embedder.is_away = True
    assert await ask(one, "how do I cancel") is None
    calls = embedder.calls
    assert await ask(one, "how do I cancel") is None
    assert embedder.calls == calls


async def test_long_and_empty_questions_are_not_looked_at() -> None:
    embedder = WordEmbedder()
    one = level(embedder=embedder, max_chars=20)
    for text in ("", "   ", "x" * 21):
        await one.add("t", fill("f", text))
        assert await ask(one, text) is None
    assert embedder.calls == 0
