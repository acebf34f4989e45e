"""Filters over the whole corridor: what is redacted, given back, and stopped in mid-stream."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from doors import able, events, post
from houses import Flow, Open, policy
from provider.fixtures import ScriptedProvider

EVERYWHERE = ["input", "system", "history", "tool_results", "tool_arguments"]
HIDE = {"kind": "pii", "name": "hide", "where": EVERYWHERE, "replace": "reversible"}
STOP = {
    "kind": "words", "name": "secret", "words": ["code word"],
    "where": ["output", "tool_arguments"],
}  # fmt: skip
SAID = "it is the code word xyzzy."
BEFORE = "it is the "
TOOLS = [{"type": "function", "function": {"name": "note", "parameters": {"type": "object"}}}]


def rules(*made: dict[str, Any], **more: Any) -> Any:
    return policy(filter={"injection": "off", "rules": list(made), **more})


def deltas(answer: list[Any]) -> list[dict[str, Any]]:
    return [choice["delta"] for event in answer[:-1] for choice in event["choices"]]


def joined(answer: list[Any], field: str = "content") -> str:
    return "".join(delta.get(field) or "" for delta in deltas(answer))


def arguments(answer: list[Any]) -> str:
    calls = [call for delta in deltas(answer) for call in delta.get("tool_calls") or ()]
    return "".join(call["function"].get("arguments") or "" for call in calls)


def finishes(answer: list[Any]) -> list[str]:
    found = [choice["finish_reason"] for event in answer[:-1] for choice in event["choices"]]
    return [one for one in found if one]


async def chat(flow: Flow, text: str, **fields: Any) -> tuple[Any, list[Any]]:
    """Headers, and the events of a stream."""
    body = {"model": "ok", "messages": [{"role": "user", "content": text}], "stream": True}
    _, headers, stream = await post(flow, "/v1/chat/completions", **{**body, **fields})
    return headers, events(stream)


# ---------------------------------------------------------------- stopped streams


@pytest.mark.parametrize("size", [1, 3, 7, 100])
async def test_a_stream_ends_before_what_is_blocked(
    open_flow: Open, provider: ScriptedProvider, size: int
) -> None:
    provider.script("ok", f"repeat-text-{size}")
    async with open_flow(able(provider), rules(STOP)) as flow:
        _, answer = await chat(flow, SAID)
        assert answer[-1] == "[DONE]"
        assert joined(answer) == BEFORE
        assert finishes(answer) == ["content_filter"]
        assert answer[-2]["serve_app"] == {"filter": {"action": "block", "rule": "secret"}}
        assert answer[-2]["id"] == "chatcmpl-scripted"
        headers, _ = await chat(flow, SAID)
        # The call that was left may not be over yet.
        assert headers["x-serve-app-cache"] in ("miss", "flight"), "it was not kept"


async def test_the_call_upstream_is_closed_and_what_it_used_is_settled(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    provider.script("ok", "repeat-text-4-stuck")
    async with open_flow(able(provider), rules(STOP)) as flow:
        _, answer = await chat(flow, SAID, stream_options={"include_usage": True})
        assert provider.wait("ok", "aborted")
        assert answer[-2]["usage"]["completion_tokens"] > 0
        assert answer[-2]["choices"] == []
        assert joined(answer) == BEFORE


@pytest.mark.parametrize("streamed", [True, False])
async def test_every_open_choice_is_ended(
    open_flow: Open, provider: ScriptedProvider, streamed: bool
) -> None:
    provider.script("ok", "repeat-text-5")
    async with open_flow(able(provider), rules(STOP)) as flow:
        if streamed:
            _, answer = await chat(flow, SAID, n=2)
            assert finishes(answer) == ["content_filter"]
        else:
            _, headers, body = await flow.chat(SAID, n=2)
            assert [c["finish_reason"] for c in body["choices"]] == ["content_filter"] * 2
            assert [c["message"]["content"] for c in body["choices"]] == [BEFORE] * 2
            assert headers["x-serve-app-filter"] == "block=secret"


@pytest.mark.parametrize("kind", ["thought", "call"])
async def test_thoughts_and_arguments_are_stopped_too(
    open_flow: Open, provider: ScriptedProvider, kind: str
) -> None:
    provider.script("ok", f"repeat-{kind}-3")
    async with open_flow(able(provider), rules(STOP)) as flow:
        _, answer = await chat(flow, SAID, tools=TOOLS)
        told = arguments(answer) if kind == "call" else joined(answer, "reasoning_content")
        assert told.endswith(BEFORE)
        assert finishes(answer) == ["content_filter"]
        _, _, body = await flow.chat(SAID, tools=TOOLS)
        [choice] = body["choices"]
        assert choice["finish_reason"] == "content_filter"
        assert "code" not in json.dumps(choice)
        assert "tool_calls" not in choice["message"]
        assert (choice["message"].get("reasoning_content") == BEFORE) is (kind == "thought")


@pytest.mark.parametrize("streamed", [True, False])
async def test_anthropics_messages_end_as_a_refusal(
    open_flow: Open, provider: ScriptedProvider, streamed: bool
) -> None:
    provider.script("ok", "repeat-text-3")
    body = {"model": "ok", "max_tokens": 50, "messages": [{"role": "user", "content": SAID}]}
    async with open_flow(able(provider), rules(STOP)) as flow:
        _, _, answer = await post(flow, "/v1/messages", **body, stream=streamed)
        if not streamed:
            assert [block["text"] for block in answer["content"]] == [BEFORE]
            assert answer["stop_reason"] == "refusal"
            return
        told = events(answer)
        text = [e["delta"]["text"] for e in told if e["type"] == "content_block_delta"]
        assert "".join(text) == BEFORE
        assert told[-2]["delta"]["stop_reason"] == "refusal"
        assert [e["type"] for e in told[-3:]] == [
            "content_block_stop", "message_delta", "message_stop",
        ]  # fmt: skip


@pytest.mark.parametrize("streamed", [True, False])
async def test_completions_end_by_the_filter(
    open_flow: Open, provider: ScriptedProvider, streamed: bool
) -> None:
    provider.script("ok", "repeat-text-3")
    async with open_flow(able(provider), rules(STOP)) as flow:
        body = {"model": "ok", "prompt": SAID, "stream": streamed}
        _, _, answer = await post(flow, "/v1/completions", **body)
        told = events(answer)[:-1] if streamed else [answer]
        assert "".join(choice["text"] for e in told for choice in e["choices"]) == BEFORE
        assert told[-1]["choices"][0]["finish_reason"] == "content_filter"


async def test_a_conversation_remembers_what_its_caller_was_told(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    async with open_flow(rules=rules(STOP)) as flow:
        for streamed, session in ((True, "a"), (False, "b")):
            provider.script("ok", "repeat-text-3", "ok")
            asked = {"session_id": session, "message": SAID, "model": "ok", "stream": streamed}
            _, headers, answer = await post(flow, "/agent/chat", **asked)
            if streamed:
                told = events(answer)
                assert "".join(e.get("delta", "") for e in told[:-1]) == BEFORE
                assert told[-2]["blocked_by"] == "secret"
            else:
                assert (answer["message"], headers["x-serve-app-filter"]) == (
                    BEFORE,
                    "block=secret",
                )
            await flow.agent(session_id=session, message=f"and now, {session}?", model="ok")
            sent = [m["content"] for m in provider.log("ok")[-1]["body"]["messages"]]
            assert sent == [SAID, BEFORE, f"and now, {session}?"]


# ------------------------------------------------------------------- reversible

MAIL = "write to ann@example.com or bob@example.com"
NAMED = "write to <EMAIL_1> or <EMAIL_2>"


@pytest.mark.parametrize("kind", ["text", "thought", "call"])
@pytest.mark.parametrize("size", [1, 4, 100])
async def test_the_model_sees_placeholders_and_the_caller_real_values(
    open_flow: Open, provider: ScriptedProvider, kind: str, size: int
) -> None:
    provider.script("ok", f"repeat-{kind}-{size}")
    async with open_flow(able(provider), rules(HIDE)) as flow:
        _, answer = await chat(flow, MAIL, tools=TOOLS)
        _, _, body = await flow.chat(MAIL, tools=TOOLS)
    assert provider.log("ok")[0]["body"]["messages"][0]["content"] == NAMED
    message = body["choices"][0]["message"]
    if kind == "call":
        assert json.loads(arguments(answer)) == {"said": MAIL}
        called = message["tool_calls"][0]["function"]["arguments"]
        assert json.loads(called) == {"said": MAIL}
    else:
        field = "content" if kind == "text" else "reasoning_content"
        assert (joined(answer, field), message[field]) == (MAIL, MAIL)


@pytest.mark.parametrize("first_streams", [True, False])
@pytest.mark.parametrize("then_streams", [True, False])
async def test_a_cached_answer_gives_each_caller_its_own_values(
    open_flow: Open, provider: ScriptedProvider, first_streams: bool, then_streams: bool
) -> None:
    provider.script("ok", "repeat-text-3")
    other = MAIL.replace("ann", "eve")

    async def ask(flow: Flow, text: str, streamed: bool) -> tuple[str, str]:
        if streamed:
            headers, answer = await chat(flow, text)
            return headers["x-serve-app-cache"], joined(answer)
        _, headers, body = await flow.chat(text)
        return headers["x-serve-app-cache"], body["choices"][0]["message"]["content"]

    async with open_flow(able(provider), rules(HIDE)) as flow:
        assert await ask(flow, MAIL, first_streams) == ("miss", MAIL)
        level = ""
        async with asyncio.timeout(10):
            while level not in ("l1", "l2"):  # kept soon after it was told
                level, said = await ask(flow, other, then_streams)
                assert said == other


async def test_a_sealed_conversation_goes_on_with_its_placeholders(
    open_flow: Open, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVE_APP_SESSION_KEY", "a secret of this test")
    provider.script("ok", "repeat-text-3", "repeat-text-3", "echo")
    asked = {"session_id": "s", "model": "ok"}
    async with open_flow(rules=rules(HIDE)) as flow:
        _, first = await flow.agent(**asked, message="I am ann@example.com")
        assert first["message"] == "I am ann@example.com"
        _, second = await flow.agent(**asked, message="eve@example.com, ann@example.com")
        assert second["message"] == "eve@example.com, ann@example.com"
        _, third = await flow.agent(**asked, message="who am I?")
    sent = [m["content"] for m in provider.log("ok")[-1]["body"]["messages"]]
    assert sent == [
        "I am <EMAIL_1>", "I am <EMAIL_1>", "<EMAIL_2>, <EMAIL_1>", "<EMAIL_2>, <EMAIL_1>",
        "who am I?",
    ]  # fmt: skip
    assert "eve@example.com, ann@example.com" in third["message"]


async def test_without_a_key_no_value_outlives_its_request(
    open_flow: Open, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SERVE_APP_SESSION_KEY", raising=False)
    provider.script("ok", "repeat-text-3", "echo")
    async with open_flow(rules=rules(HIDE)) as flow:
        await flow.agent(session_id="s", message="I am ann@example.com", model="ok")
        _, later = await flow.agent(session_id="s", message="who am I?", model="ok")
    assert "<EMAIL_1>" in later["message"]
    assert "ann@" not in later["message"]


# ------------------------------------------------------------- which and whether


async def test_rules_hold_for_paths_and_dry_runs_hold_nothing(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    only = {**STOP, "where": ["input"], "paths": ["/v1/chat/completions"]}
    dry = {**STOP, "name": "dry", "words": ["xyzzy"], "where": ["input", "output"], "dry_run": True}
    provider.script("ok", "repeat-text-3")
    async with open_flow(able(provider), rules(dry, only)) as flow:
        status, _, body = await flow.chat(SAID)
        assert (status, body["error"]["code"]) == (403, "blocked_by_policy")
        assert "'secret'" in body["error"]["message"]
        assert "xyzzy" not in json.dumps(body)
        status, _, body = await post(flow, "/v1/completions", model="ok", prompt=SAID)
        assert (status, body["choices"][0]["text"]) == (200, SAID)


async def test_a_warning_is_told_in_the_head(open_flow: Open, provider: ScriptedProvider) -> None:
    warn = {**STOP, "name": "mind", "where": ["input"], "action": "warn"}
    out = {**STOP, "name": "told", "where": ["output"], "action": "warn"}
    provider.script("ok", "repeat-text-3")
    async with open_flow(able(provider), rules(warn, out)) as flow:
        _, headers, body = await flow.chat(SAID)
        assert headers["x-serve-app-filter"] == "warn=mind, warn=told"
        assert body["choices"][0]["message"]["content"] == SAID
        _, headers, _ = await flow.chat("nothing of that kind")
        assert "x-serve-app-filter" not in headers


async def test_arguments_in_a_request_are_read(open_flow: Open, provider: ScriptedProvider) -> None:
    call = {
        "id": "c", "type": "function",
        "function": {"name": "f", "arguments": '{"to":"a\\nann@example.com","n":13812345678}'},
    }  # fmt: skip
    messages = [
        {"role": "user", "content": "go on"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "sent"},
    ]
    hide = {"kind": "pii", "name": "hide", "where": ["tool_arguments"]}
    async with open_flow(able(provider), rules(hide)) as flow:
        status, _, _ = await flow.chat("", messages=messages)
    assert status == 200
    [entry] = provider.log("ok")
    sent = entry["body"]["messages"][1]["tool_calls"][0]["function"]["arguments"]
    assert sent == '{"to":"a\\n[EMAIL]","n":"[PHONE]"}'


async def test_a_canary_goes_into_the_prompt_and_never_comes_out(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    leak = {"kind": "leak", "name": "leak"}
    messages = [
        {"role": "system", "content": "You are the desk of a hotel."},
        {"role": "user", "content": "hello"},
    ]
    provider.script("ok", "ok", "echo")
    async with open_flow(able(provider), rules(leak)) as flow:
        prints = set()
        for _ in range(2):
            _, headers, body = await flow.chat("", messages=messages)
            prints.add(headers["x-serve-app-fingerprint"])
            assert body["choices"][0]["message"]["content"] == "You said: hello"
        assert len(prints) == 1, "the canary is the same each time"
        system = provider.log("ok")[0]["body"]["messages"][0]["content"]
        assert system.startswith("You are the desk of a hotel.\n\n")
        word = system.split("marker: ")[1].split(".")[0]
        _, answer = await chat(flow, "", messages=[messages[0], {"role": "user", "content": "all"}])
        assert word not in json.dumps(answer)
        assert finishes(answer) == ["content_filter"]
