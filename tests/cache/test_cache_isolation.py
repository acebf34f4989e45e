"""Requests that differ in anything that decides an answer never share an entry, at any level;
those that mean the same always do."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from serve_app.cache.key import LEFT_OUT, prints
from serve_app.cache.semantic.base import Embedding, Sample
from serve_app.cache.semantic.level import SemanticLevel
from serve_app.cache.stage import CacheStage
from serve_app.config.policy import CachePolicy, SemanticPolicy
from serve_app.config.structure import CacheStructure, SemanticStructure
from serve_app.core.clock import SystemClock
from serve_app.core.kept import Entry, Fill, Lookup, Question
from serve_app.core.types import ChatParams, ChatRequest, Message

CLOCK = SystemClock()

words = st.text(st.sampled_from("abc déf 你好"), min_size=1, max_size=12)
numbers = st.one_of(st.integers(-5, 5), st.floats(-2, 2, allow_nan=False).map(lambda x: x + 0.0))
parts = st.one_of(
    words,
    st.lists(
        st.fixed_dictionaries({"type": st.just("text"), "text": words}), min_size=1, max_size=2
    ),
)
messages = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["system", "user", "assistant"]), "content": parts}
    ),
    max_size=3,
)
optional: dict[str, st.SearchStrategy[Any]] = {
    "temperature": numbers,
    "top_p": numbers,
    "n": st.integers(1, 3),
    "seed": st.integers(0, 9),
    "stop": st.one_of(words, st.lists(words, max_size=2)),
    "max_tokens": st.integers(1, 99),
    "response_format": st.fixed_dictionaries({"type": st.sampled_from(["text", "json_object"])}),
    "tools": st.lists(st.fixed_dictionaries({"name": words}), max_size=2),
    "logit_bias": st.dictionaries(words, numbers, max_size=2),
    "made_up_by_a_vendor": st.one_of(words, numbers, st.none(), st.booleans()),
}


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    asked = {"role": "user", "content": draw(parts)}
    fixed = {"model": draw(words), "messages": [*draw(messages), asked]}
    return {**fixed, **draw(st.fixed_dictionaries({}, optional=optional))}


class OnePoint:
    """Every text is as near as can be, and its judge lets everything through: what keeps requests
    apart here is the partition alone."""

    name = "one point"

    async def embed(self, texts: list[str]) -> list[Embedding]:
        return [Embedding(np.full(4, 0.5, dtype=np.float32)) for _ in texts]

    async def close(self) -> None:
        """Nothing is open."""

    def score(self, asked: Sample, stored: Sample, cosine: float) -> float:
        return 0.9999

    def alike(self, one: str, other: str, cosine: float) -> bool:
        return True


def request(body: dict[str, Any], *, text: str | None = None) -> ChatRequest:
    raw = (json.dumps(body) if text is None else text).encode()
    fields = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    return ChatRequest(fields, ChatParams("m", [Message("user", "x")]))


class World:
    """A stage with its first and third level."""

    def __init__(self) -> None:
        policy = SemanticPolicy(enabled=True, verify_share=0.0)
        point = OnePoint()
        rng = random.Random(1)
        level = SemanticLevel(policy, SemanticStructure(), None, point, point, CLOCK, rng)
        self.stage = CacheStage(
            CachePolicy(semantic=policy), CacheStructure(), None, CLOCK, rng, level
        )

    async def keep(self, body: dict[str, Any], scope: str, rules: str) -> None:
        found = prints(request(body), scope, rules, alike=True)
        entry = Entry(False, b"{}", "b", "m", 1, 1, 1, CLOCK.wall(), CLOCK.wall() + 60)
        question = found.question and Question(found.question.partition, found.question.text, 60)
        await self.stage.fill([Fill(found.exact, entry, scope, question=question)])

    async def level(self, asked: ChatRequest, scope: str, rules: str) -> str:
        found = prints(asked, scope, rules, alike=True)
        [hit] = await self.stage.lookup([Lookup(found.exact, scope, question=found.question)])
        return hit.level


def other_than(value: Any) -> Any:
    """A value of the same kind that means something else."""
    if isinstance(value, bool) or value is None:
        return "x"
    if isinstance(value, int | float):
        return value + 0.5
    if isinstance(value, str):
        return value + "z"
    if isinstance(value, list):
        return [*value, "z"]
    return {**value, "z": 1}


@settings(max_examples=150, deadline=None)
@given(bodies(), st.data())
def test_a_difference_in_any_field_keeps_answers_apart(
    body: dict[str, Any], data: st.DataObject
) -> None:
    place = data.draw(st.sampled_from([*body, "tenant", "rules", "earlier message", "new field"]))
    changed, scope, rules = json.loads(json.dumps(body)), "t", "r"
    if place == "tenant":
        scope = "u"
    elif place == "rules":
        rules = "s"
    elif place == "messages":
        changed["messages"][-1]["name"] = "somebody"
    elif place == "earlier message":
        changed["messages"].insert(0, {"role": "system", "content": "Be another."})
    elif place == "new field":
        changed["another"] = 1
    else:
        changed[place] = other_than(body[place])

    async def run() -> str:
        world = World()
        await world.keep(body, "t", "r")
        assert await world.level(request(body), "t", "r") == "l1"
        return await world.level(request(changed), scope, rules)

    assert asyncio.run(run()) == "miss"


@settings(max_examples=100, deadline=None)
@given(bodies(), st.text(max_size=20))
def test_the_last_text_alone_is_compared_by_likeness(body: dict[str, Any], text: str) -> None:
    """Where everything is alike, only requests of one partition meet, and those do."""
    body["messages"][-1]["content"] = "first"
    changed = json.loads(json.dumps(body))
    changed["messages"][-1]["content"] = text or "second"

    async def run() -> str:
        world = World()
        await world.keep(body, "t", "r")
        return await world.level(request(changed), "t", "r")

    level = asyncio.run(run())
    assert level == ("l1" if text == "first" else "miss" if text.isspace() else "semantic")


def written_anew(value: Any, data: st.DataObject) -> str:
    """The same value as other JSON: keys in another order, other numbers and white space."""
    space = data.draw(st.sampled_from(["", " ", "\n"]))
    if isinstance(value, dict):
        names = data.draw(st.permutations(list(value)))
        pairs = (f"{json.dumps(n)}:{space}{written_anew(value[n], data)}" for n in names)
        return "{" + f",{space}".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + f",{space}".join(written_anew(item, data) for item in value) + "]"
    if isinstance(value, int) and not isinstance(value, bool):
        return data.draw(st.sampled_from([str(value), f"{value}.0", f"{value}e0"]))
    if isinstance(value, str):
        return data.draw(
            st.sampled_from([json.dumps(value), json.dumps(value, ensure_ascii=False)])
        )
    return json.dumps(value)


@settings(max_examples=150, deadline=None)
@given(bodies(), st.data())
def test_the_same_request_written_otherwise_always_shares(
    body: dict[str, Any], data: st.DataObject
) -> None:
    left_out = dict.fromkeys(data.draw(st.sets(st.sampled_from(sorted(LEFT_OUT)))), "whatever")
    again = request({}, text=written_anew({**body, **left_out}, data))
    assert prints(again, "t", "r", alike=True) == prints(request(body), "t", "r", alike=True)
