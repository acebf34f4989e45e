"""The cache through the front door: headers, shared flights, likeness, rules, purges, warm-up."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from typing import Any

import pytest
from doors import able, events, post
from houses import Flow, Open, policy
from provider.fixtures import ScriptedProvider

CHAT = "/v1/chat/completions"
HITS = ("l1", "l2", "flight")
SEMANTIC = {"enabled": True, "verify_share": 0.0}


def asked(text: str = "hello", **fields: Any) -> dict[str, Any]:
    return {"model": "ok", "messages": [{"role": "user", "content": text}], **fields}


async def ask(flow: Flow, text: str = "hello", control: str = "", **fields: Any) -> Any:
    headers = {"Cache-Control": control} if control else {}
    return await post(flow, CHAT, headers, **asked(text, **fields))


async def kept(flow: Flow, text: str = "hello", **fields: Any) -> Any:
    """The reply once it comes out of the first level."""
    async with asyncio.timeout(10):
        while (reply := await ask(flow, text, **fields))[1]["x-serve-app-cache"] != "l1":
            await asyncio.sleep(0.01)
    return reply


# ------------------------------------------------------------------- the caller's headers


async def test_only_if_cached_asks_no_backend(flow: Flow, provider: ScriptedProvider) -> None:
    status, _, body = await ask(flow, control="only-if-cached")
    assert (status, body["error"]["code"]) == (504, "not_cached")
    assert not provider.log("ok")
    await ask(flow)
    await kept(flow)
    assert (await ask(flow, control="only-if-cached"))[0] == 200
    assert len(provider.log("ok")) == 1


async def test_max_age_is_the_oldest_that_is_wanted(flow: Flow, provider: ScriptedProvider) -> None:
    await ask(flow)
    await kept(flow)
    assert (await ask(flow, control="max-age=60"))[1]["x-serve-app-cache"] in HITS
    async with asyncio.timeout(10):
        while int((await kept(flow))[1]["age"]) < 2:
            await asyncio.sleep(0.05)
    assert (await ask(flow, control="max-age=1"))[1]["x-serve-app-cache"] == "miss"
    assert len(provider.log("ok")) == 2
    status, _, body = await ask(flow, control="max-age=soon")
    assert (status, body["error"]["param"]) == (400, "cache-control")


async def test_a_hit_says_what_it_is(flow: Flow) -> None:
    _, first, body = await ask(flow)
    assert first["cache-status"] == "serve-app; fwd=miss"
    assert "age" not in first
    _, headers, again = await kept(flow)
    assert headers["cache-status"] == "serve-app; hit; detail=l1"
    assert int(headers["age"]) >= 0
    assert headers["x-serve-app-fingerprint"] == first["x-serve-app-fingerprint"]
    assert headers["x-serve-app-cost-usd"] == "0.000000"
    assert again["usage"]["cached"] is True
    details = again["usage"].pop("prompt_tokens_details")
    assert details["cached_tokens"] == again["usage"]["prompt_tokens"]
    del again["usage"]["cached"]
    assert again["choices"] == body["choices"]


async def test_a_linked_image_may_have_changed_and_one_that_came_along_has_not(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    def look(url: str) -> dict[str, Any]:
        parts = [
            {"type": "text", "text": "what?"},
            {"type": "image_url", "image_url": {"url": url}},
        ]
        return {"model": "ok", "messages": [{"role": "user", "content": parts}]}

    async with open_flow(able(provider)) as flow:
        for _ in range(2):
            _, headers, _ = await post(flow, CHAT, **look("https://example.com/cat.png"))
            assert headers["x-serve-app-cache"] == "none"
        first = await post(flow, CHAT, **look("data:image/png;base64,aGVsbG8="))
        same = await post(flow, CHAT, **look("data:IMAGE/png;base64,aGVs\nbG8="))
        other = await post(flow, CHAT, **look("data:image/png;base64,aGVsbG9v"))
    prints = [reply[1]["x-serve-app-fingerprint"] for reply in (first, same, other)]
    assert prints[0] == prints[1] != prints[2]


# ----------------------------------------------------------------------------- replay


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        ("ok", {}),
        ("reasoning", {}),
        ("tools", {"tools": [{"type": "function", "function": {"name": "get_weather"}}]}),
        ("ok", {"n": 2}),
        ("ok", {"logprobs": True, "top_logprobs": 2}),
    ],
    ids=["text", "reasoning", "tools", "n", "logprobs"],
)
async def test_a_replayed_stream_is_the_first_one_event_for_event(
    open_flow: Open, provider: ScriptedProvider, model: str, fields: dict[str, Any]
) -> None:
    provider.script("ok", model)
    async with open_flow(able(provider)) as flow:
        first = events((await ask(flow, stream=True, **fields))[2])
        again = events((await kept(flow, stream=True, **fields))[2])
        assert again == first
        whole = (await kept(flow, **fields))[2]
        usage = events((await kept(flow, stream=True, stream_options={"include_usage": True},
                                   **fields))[2])  # fmt: skip
    assert usage[-2]["usage"]["cached"] is True
    assert usage[:-2] == first[:-1]
    for choice in whole["choices"]:
        said = [c for event in first[:-1] for c in event["choices"]
                if c["index"] == choice["index"]]  # fmt: skip
        text = "".join(c["delta"].get("content") or "" for c in said)
        assert (choice["message"]["content"] or "") == text
        assert choice["finish_reason"] == said[-1]["finish_reason"]
    assert len(provider.log("ok")) == 1


# ---------------------------------------------------------------------- shared flights


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_equal_requests_at_once_make_one_call(
    open_flow: Open, provider: ScriptedProvider, stream: bool
) -> None:
    provider.script("ok", "drip-5ms" if stream else "slow-300ms")
    async with open_flow() as flow:
        replies = await asyncio.gather(*(ask(flow, stream=stream) for _ in range(40)))
        said = [events(reply[2]) if stream else reply[2]["choices"] for reply in replies]
        assert all(one == said[0] for one in said)
        levels = [reply[1]["x-serve-app-cache"] for reply in replies]
        async with flow.http.get("/metrics") as answer:
            assert 'level="flight"' in await answer.text()
    assert levels.count("miss") == 1
    assert levels.count("flight") == 39
    assert len(provider.log("ok")) == 1


async def test_a_stream_and_a_body_are_two_flights_of_one_answer(
    flow: Flow, provider: ScriptedProvider
) -> None:
    provider.script("ok", "slow-300ms")
    replies = await asyncio.gather(*(ask(flow, stream=number % 2 == 0) for number in range(20)))
    streams = {json.dumps(events(reply[2])) for reply in replies[::2]}
    bodies = {json.dumps(reply[2]["choices"]) for reply in replies[1::2]}
    assert (len(streams), len(bodies)) == (1, 1)
    assert len(provider.log("ok")) == 2


async def test_the_one_who_asked_first_may_leave(flow: Flow, provider: ScriptedProvider) -> None:
    provider.script("ok", "slow-500ms")
    first = asyncio.create_task(ask(flow))
    assert await asyncio.to_thread(provider.wait, "ok", "seen")
    second = asyncio.create_task(ask(flow))
    async with asyncio.timeout(10):
        while "serve_app_running_requests 2.0" not in await metrics(flow):
            await asyncio.sleep(0.005)
    first.cancel()
    assert (await second)[0] == 200
    assert len(provider.log("ok")) == 1


async def test_a_failure_is_everybodys_and_is_not_kept(
    flow: Flow, provider: ScriptedProvider
) -> None:
    provider.script("ok", "status-400", "ok")
    replies = await asyncio.gather(*(ask(flow) for _ in range(10)))
    assert {reply[0] for reply in replies} <= {200, 400}
    assert [reply[0] for reply in replies].count(400) >= 1
    async with asyncio.timeout(5):  # who asks at that very moment may still hear of it
        while (await ask(flow))[0] != 200:
            await asyncio.sleep(0.02)
    assert len(provider.log("ok")) == 2


# --------------------------------------------------------------------- what is not kept


@pytest.mark.parametrize(
    ("model", "fields", "status"),
    [("cut-after-3", {"stream": True}, 200), ("status-500", {}, 502), ("malformed-event",
     {"stream": True}, 200)],
)  # fmt: skip
async def test_what_went_wrong_is_not_kept(
    flow: Flow, provider: ScriptedProvider, model: str, fields: dict[str, Any], status: int
) -> None:
    provider.script("ok", model)
    assert (await ask(flow, **fields))[0] == status
    before = len(provider.log("ok"))
    provider.script("ok", "ok")
    assert (await ask(flow, **fields))[1]["x-serve-app-cache"] == "miss"
    assert len(provider.log("ok")) > before


async def test_an_answer_is_not_served_under_other_filter_rules(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    provider.script("ok", "emails")
    loose = policy(filter={"output_pii": "off"})
    async with open_flow(rules=loose) as flow:
        _, _, body = await ask(flow)
        assert "@" in body["choices"][0]["message"]["content"]
        await kept(flow)
        flow.house.apply(policy(filter={"output_pii": "redact"}))
        _, headers, body = await ask(flow)
        assert headers["x-serve-app-cache"] == "miss"
        assert "@" not in body["choices"][0]["message"]["content"]
        assert "@" not in (await kept(flow))[2]["choices"][0]["message"]["content"]


# --------------------------------------------------------------------------- likeness


async def test_an_alike_question_gets_the_answer_and_a_trap_does_not(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    async with open_flow(rules=policy(cache={"semantic": SEMANTIC})) as flow:
        _, _, first = await ask(flow, "How do I cancel my order?")
        await kept(flow, "How do I cancel my order?")
        _, headers, again = await until(flow, "hi, how can i cancel my order please", "semantic")
        assert headers["cache-status"] == "serve-app; hit; detail=semantic"
        assert again["choices"] == first["choices"]
        for trap in ("How do I track my order?", "How do I cancel my order 7?"):
            assert (await ask(flow, trap))[1]["x-serve-app-cache"] == "miss"
        other = await post(flow, CHAT, **asked("how can i cancel my order", temperature=0.5))
        assert other[1]["x-serve-app-cache"] == "miss", "another parameter is another partition"
        async with flow.http.get("/metrics") as answer:
            text = await answer.text()
    assert 'level="semantic"' in text
    assert 'serve_app_cache_wrong_share{bound="high"' in text
    assert len(provider.log("ok")) == 4


async def until(flow: Flow, text: str, level: str) -> Any:
    """Ask only the cache until that level has it."""
    async with asyncio.timeout(10):
        while True:
            reply = await ask(flow, text, control="only-if-cached")
            if reply[0] == 200 and reply[1]["x-serve-app-cache"] == level:
                return reply
            await asyncio.sleep(0.02)


async def test_a_would_be_hit_is_answered_afresh_and_counted(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    rules = policy(cache={"semantic": {"enabled": True, "verify_share": 1.0}})
    async with open_flow(rules=rules) as flow:
        await ask(flow, "How do I cancel my order?")
        await kept(flow, "How do I cancel my order?")
        assert (await ask(flow, "how can i cancel my order"))[1]["x-serve-app-cache"] == "miss"
        async with asyncio.timeout(10):
            while "serve_app_cache_verified" not in (text := await metrics(flow)) or (
                "cache_verified 1.0" not in text
            ):
                await asyncio.sleep(0.05)
    assert len(provider.log("ok")) == 2


async def metrics(flow: Flow) -> str:
    async with flow.http.get("/metrics") as answer:
        return await answer.text()


async def test_a_backend_can_be_the_embedder(open_flow: Open, provider: ScriptedProvider) -> None:
    args = able(provider)
    args["backends"][0]["models"].append({"id": "vec", "kind": "embedding", "context": 8000})
    args["cache"] = {"semantic": {"embedder": "p/vec"}}
    async with open_flow(args, policy(cache={"semantic": SEMANTIC})) as flow:
        await ask(flow, "How do I cancel my order?")
        async with asyncio.timeout(10):
            while 'cache_entries{what="questions"} 1.0' not in await metrics(flow):
                await asyncio.sleep(0.02)
        # Its vectors of other words are far apart, and of the same words too: nothing is served.
        assert (await ask(flow, "how do I cancel my order"))[1]["x-serve-app-cache"] == "miss"
    assert provider.log("vec")[0]["body"]["input"] == ["How do I cancel my order?"]


# ------------------------------------------------------------------------------ tenants


def keys(*tenants: str, **more: Any) -> dict[str, Any]:
    digests = [hashlib.sha256(f"sk-{name}".encode()).hexdigest() for name in tenants]
    pairs = zip(digests, tenants, strict=True)
    return {"require_key": True, "user_rpm": 0, "key_rpm": 0,
            "keys": [{"sha256": digest, "tenant": name} for digest, name in pairs],
            **more}  # fmt: skip


def bearer(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer sk-{name}"}


async def test_a_thousand_tenants_never_see_each_others_answers(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    """The provider says back what it got, and `user` is in no fingerprint: each answer tells whose
    call it was."""
    provider.script("ok", "echo")
    names = [f"t{number}" for number in range(1000)]
    rules = policy(admission=keys(*names), cache={"semantic": SEMANTIC})
    async with open_flow(rules=rules) as flow:

        async def asks(some: list[str], *, again: bool) -> None:
            for name in some:
                body = asked("What is the capital of France?", user=f"<{name}>")
                _, headers, reply = await post(flow, CHAT, bearer(name), **body)
                assert f"<{name}>" in reply["choices"][0]["message"]["content"]
                assert (headers["x-serve-app-cache"] in HITS) is again

        for again in (False, True):
            await asyncio.gather(*(asks(names[at::20], again=again) for at in range(20)))
    assert len(provider.log("ok")) == 1000


async def test_tenants_share_where_a_rule_declares_it(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    shared = {"rules": [{"tenants": ["a", "b"], "shared": "faq"}]}
    async with open_flow(rules=policy(admission=keys("a", "b", "c"), cache=shared)) as flow:
        levels = [
            (await post(flow, CHAT, bearer(name), **asked()))[1]["x-serve-app-cache"]
            for name in ("a", "b", "c")
        ]
    assert levels[1] in HITS
    assert (levels[0], levels[2]) == ("miss", "miss")
    assert len(provider.log("ok")) == 2


async def test_a_rule_turns_the_cache_off_for_a_path(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    rules = policy(cache={"rules": [{"paths": [CHAT], "enabled": False}]})
    async with open_flow(rules=rules) as flow:
        for _ in range(2):
            assert (await ask(flow))[1]["x-serve-app-cache"] == "none"
    assert len(provider.log("ok")) == 2


# -------------------------------------------------------------- stale, purged, warmed up


async def test_a_stale_answer_is_served_while_a_new_one_is_made(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    async with open_flow(rules=policy(cache={"ttl_s": 1, "stale_s": 60})) as flow:
        stale = "serve-app; hit; detail=stale"
        await ask(flow)
        async with asyncio.timeout(15):
            while (await ask(flow))[1]["cache-status"] != stale:
                await asyncio.sleep(0.05)
        async with asyncio.timeout(10):
            while (await ask(flow))[1]["cache-status"] == stale:
                await asyncio.sleep(0.01)
        assert len(provider.log("ok")) == 2


async def test_a_purge_is_of_ones_own_tenant_and_of_all_for_an_admin(open_flow: Open) -> None:
    admin = {"admin_keys": [hashlib.sha256(b"sk-admin").hexdigest()]}
    async with open_flow(rules=policy(admission=keys("a", "b", **admin))) as flow:

        async def miss(name: str) -> bool:
            reply = await post(flow, CHAT, bearer(name), **asked())
            return bool(reply[1]["x-serve-app-cache"] == "miss")

        async def purge(name: str, query: str) -> int:
            async with flow.http.delete(f"/v1/cache?{query}", headers=bearer(name)) as answer:
                return answer.status

        assert [await miss("a"), await miss("b"), await miss("a")] == [True, True, False]
        assert await purge("a", "tenant=b") == 403
        assert await purge("nobody", "tenant=b") == 401
        assert await purge("a", "model=ok") == 200
        assert [await miss("a"), await miss("b")] == [True, False]
        assert await purge("admin", "all=true") == 200
        assert [await miss("a"), await miss("b")] == [True, True]


async def test_a_warmed_answer_is_served_for_ever_and_warmed_once(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    async with open_flow(rules=policy(cache={"ttl_s": 1, "semantic": SEMANTIC})) as flow:
        warm = {"request": asked("What are your opening hours?"), "answer": "From 9 to 5."}
        status, _, body = await post(flow, "/v1/cache/warm", **warm)
        assert (status, body["status"]) == (200, "stored")
        assert (await post(flow, "/v1/cache/warm", **warm))[2]["status"] == "present"
        await ask(flow, "Asked now, kept for a second")
        await kept(flow, "Asked now, kept for a second")
        async with asyncio.timeout(10):
            while (await ask(flow, "Asked now, kept for a second", "only-if-cached"))[0] == 200:
                await asyncio.sleep(0.02)
        for question in ("What are your opening hours?", "what are your opening hours please"):
            _, headers, body = await ask(flow, question)
            assert headers["x-serve-app-cache"] in ("l1", "semantic")
            assert body["choices"][0]["message"]["content"] == "From 9 to 5."
        assert len(provider.log("ok")) == 1, "of the one that was kept for a second"
        await post(flow, "/v1/cache/warm", request=asked("And where are you?"))
        assert (await ask(flow, "And where are you?"))[1]["x-serve-app-cache"] == "l1"
        assert len(provider.log("ok")) == 2


async def test_nobody_plants_an_answer_for_other_tenants(open_flow: Open) -> None:
    admin = {"admin_keys": [hashlib.sha256(b"sk-admin").hexdigest()]}
    rules = {"rules": [{"tenants": ["a", "b", "default"], "shared": "faq"}]}
    async with open_flow(rules=policy(admission=keys("a", "b", **admin), cache=rules)) as flow:
        warm = {"request": asked(), "answer": "Send your password to mallory."}
        status, _, body = await post(flow, "/v1/cache/warm", bearer("a"), **warm)
        assert (status, body["error"]["code"]) == (403, "admin_required")
        assert (await post(flow, CHAT, bearer("b"), **asked()))[1]["x-serve-app-cache"] == "miss"


async def test_questions_asked_often_are_shown(open_flow: Open) -> None:
    async with open_flow(rules=policy(cache={"semantic": SEMANTIC})) as flow:
        await ask(flow, "What is asked often?")
        for _ in range(4):
            await kept(flow, "What is asked often?")
        await ask(flow, "What is asked once?")
        async with flow.http.get("/v1/cache/top?limit=1") as answer:
            [top] = (await answer.json())["data"]
    assert top["text"] == "What is asked often?"
    assert top["asked"] >= 5, "each was a lookup: none joined a call under way"


async def test_without_redis_every_request_ends_and_the_first_level_goes_on(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    rules = policy(cache={"semantic": SEMANTIC})
    async with open_flow(rules=rules, redis_url="redis://127.0.0.1:1/0") as flow:
        began = time.monotonic()
        await ask(flow, "How do I cancel my order?")
        await kept(flow, "How do I cancel my order?")
        await until(flow, "how can i cancel my order", "semantic")
        replies = await asyncio.gather(*(ask(flow, "once more") for _ in range(20)))
        assert {reply[0] for reply in replies} == {200}
        async with flow.http.delete("/v1/cache?all=true") as answer:
            assert answer.status == 503
            assert (await answer.json())["error"]["code"] == "purge_incomplete"
        assert time.monotonic() - began < 60
    assert len(provider.log("ok")) == 2
