"""Gemini's events and responses as canonical chunks, one by one."""

from __future__ import annotations

from typing import Any

import pytest
from backend_calls import KEY
from dialect_talk import QUESTION, Said, a_call, backend

from serve_app.backends.base import AttemptFailed
from serve_app.backends.dialects.gemini import GeminiDialect
from serve_app.core.clock import FakeClock

DIALECT = GeminiDialect(backend("gemini", "https://api.test/v1beta"), FakeClock(1000.0))


def decoded(*events: str, **more: Any) -> Said:
    decoder = DIALECT.decoder(a_call("any", QUESTION, stream=True, **more), KEY)
    return Said(chunk for event in events for chunk in decoder.chunks(event.encode()))


def test_recorded_events_of_a_thought_and_a_call() -> None:
    """As in https://ai.google.dev/gemini-api/docs/function-calling, with a thought before it."""
    said = decoded(
        '{"candidates":[{"content":{"parts":[{"text":"I need the weather.","thought":true}],'
        '"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":9,"totalTokenCount":30,'
        '"thoughtsTokenCount":21},"modelVersion":"gemini-2.5-flash","responseId":"r1"}',
        '{"candidates":[{"content":{"parts":[{"functionCall":{"name":"get_weather","args":'
        '{"location":"London"}},"thoughtSignature":"CiQB"}],"role":"model"},"index":0}],'
        '"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":5,"totalTokenCount":35,'
        '"thoughtsTokenCount":21},"modelVersion":"gemini-2.5-flash","responseId":"r1"}',
        '{"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"STOP",'
        '"index":0}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":5,'
        '"totalTokenCount":35,"thoughtsTokenCount":21},"modelVersion":"gemini-2.5-flash",'
        '"responseId":"r1"}',
    )
    assert said.message["reasoning_content"] == "I need the weather."
    assert said.calls[0]["function"] == {
        "name": "get_weather",
        "arguments": '{"location":"London"}',
    }
    assert said.calls[0]["extra_content"] == {"google": {"thought_signature": "CiQB"}}
    assert said.finish == "tool_calls"
    assert said.usage["completion_tokens"] == 26
    assert {chunk.model for chunk in said.chunks} == {"gemini-2.5-flash"}
    assert {chunk.created for chunk in said.chunks} == {1000}


def test_calls_without_ids_get_such_as_never_meet() -> None:
    call = '{"functionCall":{"name":"f","args":{}}}'
    head = f'{{"candidates":[{{"content":{{"parts":[{call},{call}]}},"finishReason":"STOP"}}]'
    first, second = decoded(head + ',"responseId":"r1"}'), decoded(head + ',"responseId":"r2"}')
    assert len({call["id"] for said in (first, second) for call in said.calls}) == 4
    assert decoded(head + ',"responseId":"r1"}').calls == first.calls


def test_an_id_that_a_call_has_is_kept() -> None:
    call = '{"functionCall":{"name":"f","id":"own"}}'
    said = decoded(f'{{"candidates":[{{"content":{{"parts":[{call}]}},"finishReason":"STOP"}}]}}')
    assert said.calls == [
        {"id": "own", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    ]


def test_usage_after_the_end_is_told_too() -> None:
    said = decoded(
        '{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}]}',
        '{"usageMetadata":{"promptTokenCount":2,"candidatesTokenCount":1}}',
    )
    assert said.usage["total_tokens"] == 3


@pytest.mark.parametrize("event", ["", "{", "[]", '"x"', "{}", '{"candidates":{}}'])
def test_what_is_no_event_is_malformed(event: str) -> None:
    with pytest.raises(AttemptFailed) as caught:
        decoded(event)
    assert caught.value.code == "malformed"


@pytest.mark.parametrize("body", ["", "{}", "[]", '{"usageMetadata":{}}', "<html>"])
def test_what_is_no_answer_is_malformed(body: str) -> None:
    with pytest.raises(AttemptFailed) as caught:
        DIALECT.whole(a_call("any", QUESTION), body.encode(), KEY)
    assert caught.value.code == "malformed"


def test_a_whole_answer_without_an_end_is_none() -> None:
    body = b'{"candidates":[{"content":{"parts":[{"text":"half"}]}}]}'
    with pytest.raises(AttemptFailed) as caught:
        DIALECT.whole(a_call("any", QUESTION), body, KEY)
    assert caught.value.code == "truncated"


@pytest.mark.parametrize("body", ["", "{}", '{"embeddings":[1]}'])
def test_what_is_no_embeddings_is_malformed(body: str) -> None:
    call = a_call("e", [], endpoint="embeddings", input="x")
    with pytest.raises(AttemptFailed) as caught:
        DIALECT.whole(call, body.encode(), KEY)
    assert caught.value.code == "malformed"
