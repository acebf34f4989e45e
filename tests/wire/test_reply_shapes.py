"""Replies: a stream and a body amount to the same, and untouched bytes stay as they came."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from serve_app.core.replay import events_of
from serve_app.core.types import Chunk
from serve_app.wire import reply

HEAD = {"id": "c1", "object": "chat.completion.chunk", "created": 7, "model": "m"}


def chunk(choices: list[dict[str, Any]], **more: Any) -> Chunk:
    raw = json.dumps({**HEAD, "choices": choices, **more}).encode()
    made = msgspec.json.decode(raw, type=Chunk)
    made.raw = raw
    return made


def part(delta: dict[str, Any], finish: str | None = None, index: int = 0) -> dict[str, Any]:
    return {"index": index, "delta": delta, "finish_reason": finish}


def test_unchanged_chunks_leave_as_the_bytes_they_came_in() -> None:
    made = chunk([part({"content": "hi"})], provider_extra={"kept": True})
    assert reply.sse([made]) == b"data: " + made.raw + b"\n\n"


def test_a_stream_collects_to_a_body() -> None:
    chunks = [
        chunk([part({"role": "assistant", "content": ""})]),
        chunk([part({"reasoning_content": "hm"})]),
        chunk([part({"content": "Pa"}), part({"content": "Ro"}, index=1)]),
        chunk([part({"content": "ris"}), part({"content": "me"}, index=1)]),
        chunk([part({}, "stop"), part({}, "length", index=1)]),
        chunk([], usage={"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}),
    ]
    body = json.loads(reply.collect(chunks))
    assert [c["message"]["content"] for c in body["choices"]] == ["Paris", "Rome"]
    assert body["choices"][0]["message"]["reasoning_content"] == "hm"
    assert [c["finish_reason"] for c in body["choices"]] == ["stop", "length"]
    assert body["usage"]["total_tokens"] == 5
    assert (body["id"], body["model"], body["object"]) == ("c1", "m", "chat.completion")


def test_tool_calls_are_put_together_from_fragments() -> None:
    def call(at: int, **fields: Any) -> dict[str, Any]:
        return part({"tool_calls": [{"index": at, **fields}]})

    chunks = [
        chunk([call(0, id="a", type="function", function={"name": "add", "arguments": ""})]),
        chunk([call(0, function={"arguments": '{"x":'})]),
        chunk([call(1, id="b", type="function", function={"name": "sub", "arguments": "{}"})]),
        chunk([call(0, function={"arguments": "1}"})]),
        chunk([part({}, "tool_calls")]),
    ]
    message = json.loads(reply.collect(chunks))["choices"][0]["message"]
    assert message["content"] is None
    assert [
        (c["id"], c["function"]["name"], c["function"]["arguments"]) for c in message["tool_calls"]
    ] == [
        ("a", "add", '{"x":1}'),
        ("b", "sub", "{}"),
    ]


def test_logprobs_are_joined() -> None:
    def with_logprob(token: str) -> dict[str, Any]:
        return {**part({"content": token}), "logprobs": {"content": [{"token": token}]}}

    chunks = [chunk([with_logprob("a")]), chunk([with_logprob("b")]), chunk([part({}, "stop")])]
    choice = json.loads(reply.collect(chunks))["choices"][0]
    assert [t["token"] for t in choice["logprobs"]["content"]] == ["a", "b"]


def test_a_body_replayed_and_collected_is_the_same_body() -> None:
    body = {
        "id": "c2", "object": "chat.completion", "created": 9, "model": "m",
        "choices": [
            {
                "index": 0, "finish_reason": "tool_calls", "logprobs": None,
                "message": {
                    "role": "assistant", "content": "let me see",
                    "tool_calls": [
                        {"id": "a", "type": "function",
                         "function": {"name": "f", "arguments": '{"k": 1}'}}
                    ],
                },
            },
            {
                "index": 1, "finish_reason": "stop",
                "logprobs": {"content": [{"token": "yo", "logprob": -0.5}]},
                "message": {"role": "assistant", "content": "yo"},
            },
        ],
    }  # fmt: skip
    events = events_of(json.dumps(body).encode())
    chunks = [msgspec.json.decode(event, type=Chunk) for event in events]
    assert json.loads(reply.collect(chunks)) == body


def test_rewriting_keeps_every_other_field() -> None:
    made = chunk([part({"content": "a@b.co", "custom": 1})], system_fingerprint="fp")
    changed = json.loads(reply.rewrite(made, {0: "[EMAIL]"}, "content").raw)
    assert changed["choices"][0]["delta"] == {"content": "[EMAIL]", "custom": 1}
    assert changed["system_fingerprint"] == "fp"
    assert made.choices[0].delta.content == "[EMAIL]"


def test_rewriting_a_whole_reply_changes_its_message() -> None:
    raw = b'{"choices":[{"index":0,"message":{"role":"assistant","content":"a@b.co"}}]}'
    whole = Chunk(raw=raw, whole=True)
    changed = json.loads(reply.rewrite(whole, {0: "[EMAIL]"}, "content").raw)
    assert changed["choices"][0]["message"]["content"] == "[EMAIL]"


def test_only_the_extra_usage_event_counts_as_usage_only() -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    assert reply.is_usage_only(chunk([], usage=usage))
    assert not reply.is_usage_only(chunk([part({}, "stop")], usage=usage))


def test_details_of_reasoning_are_collected_and_replayed() -> None:
    details = [{"type": "reasoning.text", "signature": "s"}, {"type": "reasoning.encrypted"}]
    chunks = [
        chunk([part({"reasoning_content": "hm"})]),
        chunk([part({"reasoning_details": details[:1]})]),
        chunk([part({"reasoning_details": details[1:]})]),
        chunk([part({"content": "x"}, "stop")]),
    ]
    body = reply.collect(chunks)
    assert json.loads(body)["choices"][0]["message"]["reasoning_details"] == details
    again = [msgspec.json.decode(event, type=Chunk) for event in events_of(body)]
    assert json.loads(reply.collect(again)) == json.loads(body)


def test_changed_reasoning_loses_the_details_that_repeat_it() -> None:
    details = [{"type": "reasoning.text", "text": "mail a@b.co"}]
    made = chunk([part({"reasoning": "mail a@b.co", "reasoning_details": details})])
    assert b"a@b.co" not in reply.rewrite(made, {0: "mail [EMAIL]"}, "reasoning").raw
    signed = chunk([part({"reasoning_details": [{"signature": "s"}]})])
    assert b'"signature"' in reply.rewrite(signed, {0: "the rest"}, "reasoning").raw
