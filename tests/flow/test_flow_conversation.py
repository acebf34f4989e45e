"""Conversations over the whole corridor: order, forks, what is sent of long ones, and what is left
of them in Redis."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from doors import events, post
from houses import Flow, Open, arguments, policy
from provider.fixtures import ScriptedProvider
from redis import Redis
from talker import Talker

from serve_app.compose import Corridor, Maker, Stages
from serve_app.config.policy import ConversationPolicy, Policy
from serve_app.config.structure import GatewayArgs
from serve_app.core.clock import SystemClock
from serve_app.core.errors import Conflict, NotFound, PolicyRejected
from serve_app.core.trail import Trail
from serve_app.core.types import Message
from serve_app.passage import Ask, Facts
from serve_app.sessions.store import Conversations
from serve_app.store.client import Store
from serve_app.store.embedded import EmbeddedValkey
from serve_app.wire import openai

MODEL = {
    "name": "house", "kind": "local", "app": "m", "tokenizer": "embedded",
    "models": [{"id": "small", "context": 2048}],
}  # fmt: skip
TIERS = {"cheap": ["house/small"], "default": ["house/small"], "strong": ["house/small"]}
SESSION = {"session_id": "s", "model": "small"}
HIDE = {"kind": "pii", "name": "hide", "where": ["input", "history"], "replace": "reversible"}


def rules(**conversation: Any) -> Policy:
    return policy(
        routing=TIERS,
        conversation=conversation,
        filter={"injection": "off", "rules": [HIDE]},
        prices={"small": {"input": 1_000_000, "output": 2_000_000}},
    )


class Hall:
    """A corridor to ask by itself, for what no front door says."""

    def __init__(self, corridor: Corridor, talker: Talker) -> None:
        self.corridor = corridor
        self.talker = talker
        self.conversations = corridor.memory.conversations

    async def ask(self, *texts: str, session: str = "s", **more: Any) -> tuple[str, Facts, Trail]:
        """The answer to the texts; those that begin with `#` are instructions."""
        messages = [{"role": "system" if t[0] == "#" else "user", "content": t} for t in texts]
        values: dict[str, Any] = {"model": "small", "messages": messages}
        trail = Trail("r")
        deadline = SystemClock.monotonic() + 60
        request = openai.from_values(values)
        reply = await self.corridor.pipeline.answer(
            Ask(request, trail, session=session, path="/agent/chat", deadline=deadline, **more)
        )
        assert reply.whole is not None
        await reply.aclose()
        said = json.loads(reply.whole.raw)["choices"][0]["message"]["content"]
        return said, reply.facts, trail

    async def say(self, *texts: str, session: str = "s") -> None:
        """Turns that were answered before."""
        for text in texts:
            said = [Message("user", text), Message("assistant", f"{text}!")]
            await self.conversations.append("default", session, said)

    async def texts(self, session: str = "s") -> list[Any]:
        return [m.content for m in await self.conversations.load("default", session)]


Opens = Any


@pytest.fixture
def open_hall(clean_valkey: EmbeddedValkey) -> Opens:
    """`open_hall(policy, session_key="", **args)`, an async context manager."""

    @asynccontextmanager
    async def opened(
        made: Policy | None = None, session_key: str = "", **args: Any
    ) -> AsyncIterator[Hall]:
        environ = {
            "SERVE_APP_REDIS_URL": clean_valkey.url,
            "SERVE_APP_SESSION_KEY": session_key,
            "SERVE_APP_RECORDS_URL": "none",
        }
        settings = arguments("http://127.0.0.1:1", backends=[MODEL], **args)
        maker = Maker(GatewayArgs.model_validate(settings), environ)
        talker = Talker()
        corridor = Corridor(maker, made or rules(), Stages(), {"house": talker}, "r1")
        corridor.start()
        try:
            yield Hall(corridor, talker)
        finally:
            await corridor.close()

    return opened


@pytest.fixture
async def hall(open_hall: Opens) -> AsyncIterator[Hall]:
    async with open_hall() as opened:
        yield opened


@pytest.fixture
def open_house(open_flow: Open) -> Opens:
    """`open_house(policy)`: a house with one talker behind it; both."""

    @asynccontextmanager
    async def opened(made: Policy) -> AsyncIterator[tuple[Flow, Talker]]:
        talker = Talker()
        opening = open_flow({"backends": [MODEL]}, made, transports={"house": talker})
        async with opening as flow:
            yield flow, talker

    return opened


# ------------------------------------------------------------------ order


async def test_who_is_answered_later_is_answered_anew_with_the_other_in_the_history(
    open_house: Opens,
) -> None:
    async with open_house(rules()) as (flow, talker):
        late = asyncio.create_task(post(flow, "/agent/chat", **SESSION, message="wait"))
        await talker.until_asked(1)
        assert (await flow.agent(**SESSION, message="quick"))[0] == 200
        talker.go_on.set()
        status, headers, body = await late
        assert (status, body["message"]) == (200, "wait!")
        assert headers["x-serve-app-cost-usd"] == "0.000028"  # both answers were paid for
        await flow.agent(**SESSION, message="end")
    assert talker.read(2) == ["quick", "quick!", "wait"]
    assert talker.read(3) == ["quick", "quick!", "wait", "wait!", "end"]


async def test_of_many_at_once_each_is_answered_and_all_are_ordered(open_house: Opens) -> None:
    async with open_house(rules()) as (flow, talker):
        asked = [asyncio.create_task(flow.agent(**SESSION, message=f"wait {n}")) for n in range(12)]
        await talker.until_asked(12)
        talker.go_on.set()
        answers = await asyncio.gather(*asked)
        assert [status for status, _ in answers] == [200] * 12
        await flow.agent(**SESSION, message="end")
    last = talker.read(-1)
    assert sorted(last[0:-1:2]) == sorted(f"wait {n}" for n in range(12))
    assert all(a == f"{q}!" for q, a in zip(last[0:-1:2], last[1:-1:2], strict=True))
    assert len(talker.bodies) <= 12 + 11 + 1  # nobody lost twice in one process


async def test_a_stream_that_is_out_goes_after_the_other(open_house: Opens) -> None:
    async with open_house(rules()) as (flow, talker):
        asked = {**SESSION, "message": "wait", "stream": True}
        late = asyncio.create_task(post(flow, "/agent/chat", **asked))
        await talker.until_asked(1)
        await flow.agent(**SESSION, message="quick")
        talker.go_on.set()
        _, _, stream = await late
        assert events(stream)[-1] == "[DONE]"
        await flow.agent(**SESSION, message="end")
    assert talker.read(-1) == ["quick", "quick!", "wait", "wait!", "end"]


@pytest.mark.parametrize("streams", [False, True])
async def test_by_policy_the_later_one_is_refused(open_house: Opens, streams: bool) -> None:
    async with open_house(rules(on_conflict="reject")) as (flow, talker):
        asked = {**SESSION, "message": "wait", "stream": streams}
        late = asyncio.create_task(post(flow, "/agent/chat", **asked))
        await talker.until_asked(1)
        await flow.agent(**SESSION, message="quick")
        talker.go_on.set()
        status, _, answer = await late
        problem = events(answer)[-1]["error"] if streams else answer["error"]
        assert (status, problem["code"]) == (200 if streams else 409, "session_conflict")
        await flow.agent(**SESSION, message="end")
    assert talker.read(-1) == ["quick", "quick!", "end"]


async def test_who_loses_again_and_again_is_refused_in_the_end(hall: Hall) -> None:
    """As where other replicas are always quicker."""
    asking = asyncio.create_task(hall.ask("wait"))
    for asked in range(1, 5):
        await hall.talker.until_asked(asked)
        await hall.say("quick")
        hall.talker.go_on.set()
        await asyncio.sleep(0)
        hall.talker.go_on.clear()
    with pytest.raises(Conflict):
        await asking
    assert len(hall.talker.bodies) == 4
    assert await hall.texts() == ["quick", "quick!"] * 4


async def test_a_conversation_deleted_meanwhile_does_not_come_back(
    hall: Hall, clean_valkey: EmbeddedValkey
) -> None:
    await hall.say("before")
    asking = asyncio.create_task(hall.ask("wait"))
    await hall.talker.until_asked(1)
    await hall.conversations.delete("default", "s")
    hall.talker.go_on.set()
    said, facts, _ = await asking
    assert (said, facts.session_kept, facts.session) == ("wait!", False, "")
    with Redis.from_url(clean_valkey.url) as client:
        assert client.keys("*conversation*") == []


async def test_placeholders_of_two_at_once_do_not_mix(open_hall: Opens) -> None:
    async with open_hall(session_key="a key of this very test") as hall:
        asking = asyncio.create_task(hall.ask("wait for ann@example.com"))
        await hall.talker.until_asked(1)
        await hall.ask("I am bob@example.com")
        hall.talker.go_on.set()
        assert (await asking)[0] == "wait for ann@example.com!"
        said, _, _ = await hall.ask("who is <EMAIL_1>, who <EMAIL_2>")
        assert said == "who is bob@example.com, who ann@example.com!"
    assert hall.talker.read(-1)[0:3:2] == ["I am <EMAIL_1>", "wait for <EMAIL_2>"]


# ------------------------------------------------------------------ versions and forks


async def test_a_conversation_goes_on_at_an_earlier_place_as_a_fork(hall: Hall) -> None:
    await hall.ask("#be brief", "a", instructions=1)
    _, facts, _ = await hall.ask("b")
    assert (facts.session, facts.session_version) == ("s", 2)
    _, facts, _ = await hall.ask("c", at_version=1, fork_to="f")
    assert (facts.session, facts.session_version) == ("f", 2)
    assert await hall.texts("f") == ["a", "a!", "c", "c!"]
    assert await hall.texts() == ["a", "a!", "b", "b!"]
    _, facts, _ = await hall.ask("d", at_version=2, fork_to="g")
    assert (facts.session, facts.session_version) == ("s", 3)
    assert hall.talker.read(0) == ["#be brief", "a"]
    assert hall.talker.read(2) == ["a", "a!", "c"]


async def test_two_that_go_on_from_one_place_at_once_are_both_kept(hall: Hall) -> None:
    await hall.say("a")
    both = [
        asyncio.create_task(hall.ask(f"wait {n}", at_version=1, fork_to=f"f{n}")) for n in (1, 2)
    ]
    await hall.talker.until_asked(2)
    hall.talker.go_on.set()
    facts = [answer[1] for answer in await asyncio.gather(*both)]
    assert sorted(f.session_version for f in facts) == [2, 2]
    assert {f.session for f in facts} in ({"s", "f1"}, {"s", "f2"})
    for f in facts:
        assert len(await hall.texts(f.session)) == 4


async def test_without_a_place_for_a_fork_that_is_a_conflict(hall: Hall) -> None:
    await hall.say("a", "b")
    with pytest.raises(Conflict) as refused:
        await hall.ask("c", at_version=1)
    assert refused.value.code == "session_conflict"
    with pytest.raises(NotFound):
        await hall.ask("c", at_version=3)
    assert len(hall.talker.bodies) == 1


async def test_what_is_not_to_be_kept_is_not(hall: Hall) -> None:
    await hall.say("a")
    _, facts, _ = await hall.ask("b", keeps=lambda answer: answer.content != "b!")
    assert (facts.session_kept, facts.session_version) == (None, 0)
    _, facts, _ = await hall.ask("c", keeps=lambda answer: answer.content == "c!")
    assert (facts.session_kept, facts.session_version) == (True, 2)
    assert await hall.texts() == ["a", "a!", "c", "c!"]


# ------------------------------------------------------------------ long ones


def said_by(trail: Trail) -> list[dict[str, Any]]:
    return [
        note.facts for note in trail.notes if note.stage == "conversation" and note.took_ms == 0
    ]


async def test_of_a_thousand_turns_only_what_fits_is_sent_and_the_trail_says_so(
    hall: Hall,
) -> None:
    await asyncio.gather(*(hall.say(f"turn {n} " + "word " * 20) for n in range(1000)))
    _, facts, trail = await hall.ask("#be brief", "and now?", instructions=1)
    assert facts.session_version == 1001
    sent = hall.talker.read(-1)
    assert (sent[0], sent[-1]) == ("#be brief", "and now?")
    assert 10 < len(sent) < 80
    [note] = [n for n in trail.notes if n.stage == "conversation" and n.took_ms == 0]
    assert note.decision == "dropped"
    turns = (len(sent) - 2) // 2
    assert note.facts["cut_turns"] == 1000 - turns
    per_turn = note.facts["saved_tokens"] / note.facts["cut_turns"]
    assert 50 < per_turn < 100


async def test_the_prompt_has_a_cap_of_the_policy_or_of_the_request(open_hall: Opens) -> None:
    async with open_hall(rules(max_prompt_tokens=600)) as hall:
        await hall.say(*(f"turn {n} " + "word " * 20 for n in range(30)))
        await hall.ask("one")
        first = len(hall.talker.read(-1))
        await hall.ask("two", max_prompt_tokens=200)
        assert 7 <= len(hall.talker.read(-1)) < first < 20
        for texts in (hall.talker.read(0), hall.talker.read(1)):
            assert texts[-2].endswith("!")


async def test_requests_that_follow_one_another_begin_alike(open_hall: Opens) -> None:
    """So that what the provider keeps of a prompt's beginning is of use."""
    async with open_hall(rules(max_prompt_tokens=1000)) as hall:
        await hall.say(*(f"turn {n} " + "word " * 10 for n in range(40)))
        for n in range(16):
            await hall.ask(f"turn {40 + n} " + "word " * 10)
        firsts = [hall.talker.read(n)[0] for n in range(16)]
        assert len(set(firsts)) <= 4


async def test_long_messages_of_the_middle_are_cut_with_a_mark(open_hall: Opens) -> None:
    made = rules(shorten="truncate", truncate_chars=80, reply_tokens=256)
    async with open_hall(made) as hall:
        await hall.say(*(f"{n} " + "word " * 120 for n in range(8)))
        _, _, trail = await hall.ask("end")
        sent = hall.talker.read(-1)
        assert len(sent) == 17
        assert sent[0].startswith("0 word")
        assert "characters left out ...]" in sent[0]
        assert "left out" not in "".join(sent[10:])
        assert said_by(trail)[0]["cut_messages"] >= 8
        assert said_by(trail)[0]["saved_tokens"] > 300


async def test_a_summary_is_made_beside_the_request_and_used_by_the_next(
    open_hall: Opens,
) -> None:
    made = rules(shorten="summarise", max_prompt_tokens=700)
    async with open_hall(made, session_key="a key of this very test") as hall:
        await hall.say(*(f"turn {n} " + "word " * 10 for n in range(30)))
        _, facts, _ = await hall.ask("one")
        await hall.talker.until_asked(2)
        order = hall.talker.read(1)
        assert order[0].startswith("Sum up the conversation")
        assert order[1].startswith("user: turn 0")
        thread = await hall.conversations.read("default", "s")
        async with asyncio.timeout(10):
            while thread.summary is None:
                thread = await hall.conversations.read("default", "s")
        await hall.ask("two")
        sent = hall.talker.read(-1)
        assert thread.summary.text in sent[0]
        assert sent[1].startswith(f"turn {thread.summary.upto} ")
        totals = (await hall.corridor.ledger.totals("default")).total
        async with asyncio.timeout(10):
            while totals.requests < 3:
                totals = (await hall.corridor.ledger.totals("default")).total
        assert totals.cost_micro_usd == 3 * facts.cost_micro_usd


async def test_a_summary_that_cannot_be_had_is_in_nobodys_way(open_hall: Opens) -> None:
    made = rules(shorten="summarise", max_prompt_tokens=400, summary={"model": "none-of-that-name"})
    async with open_hall(made) as hall:
        await hall.say(*(f"turn {n} " + "word " * 10 for n in range(30)))
        for text in ("one", "two"):
            said, facts, _ = await hall.ask(text)
            assert (said, facts.session_kept) == (f"{text}!", True)
        assert (await hall.conversations.read("default", "s")).summary is None


# ------------------------------------------------------------------ what is left of it


async def test_answers_in_a_conversation_are_kept_nowhere_else(
    hall: Hall, clean_valkey: EmbeddedValkey
) -> None:
    await hall.say("my name is Ann")
    await hall.ask("what is my name?")
    await hall.corridor.pipeline.caching.fills.close(5)
    assert await hall.conversations.delete("default", "s")
    with Redis.from_url(clean_valkey.url) as client:
        assert client.keys("*:cache:*") == []
        assert client.keys("*conversation*") == []


async def test_a_sealed_conversation_is_read_by_us_alone(
    open_hall: Opens, clean_valkey: EmbeddedValkey
) -> None:
    sealed = {"conversation": {"encrypt": True}}
    async with open_hall(session_key="the old key of this test", **sealed) as hall:
        await hall.ask("my name is XYZZY")
        with Redis.from_url(clean_valkey.url) as client:
            kept = [client.dump(name) or b"" for name in client.keys("*conversation*")]
        assert len(kept) == 2
        assert not any(b"XYZZY" in one for one in kept)
    keys = "the new key of this test,the old key of this test"
    async with open_hall(session_key=keys, **sealed) as hall:
        await hall.ask("and now?")
        assert hall.talker.read(0) == ["my name is XYZZY", "my name is XYZZY!", "and now?"]
    with pytest.raises(PolicyRejected, match="SERVE_APP_SESSION_KEY"):
        async with open_hall(**sealed):
            pass


async def test_time_to_live_is_policy_and_changes_while_requests_run(
    hall: Hall, store: Store
) -> None:
    await hall.ask("a")
    hall.corridor.apply(rules(tenants={"default": {"ttl_s": 77}}))
    await hall.ask("b")
    names = await store.pipeline([("KEYS", "*conversation*")])
    lives = await store.pipeline([("TTL", name) for name in names[0]])
    assert len(lives) == 2
    assert all(0 < life <= 77 for life in lives)


async def test_a_failed_answer_leaves_no_half_turn(
    open_flow: Open, provider: ScriptedProvider, store: Store
) -> None:
    conversations = Conversations(store, ConversationPolicy(), SystemClock())
    asked = {"session_id": "s", "model": "ok", "stream": True}
    async with open_flow(rules=policy(execution={"recover": False})) as flow:
        await post(flow, "/agent/chat", **asked, message="kept")
        provider.script("ok", "cut-after-3")
        _, _, stream = await post(flow, "/agent/chat", **asked, message="lost")
    assert "error" in events(stream)[-1]
    kept = [m.content for m in await conversations.load("default", "s")]
    assert len(kept) == 2
    assert kept[0] == "kept"
