"""OpenAI's events and bodies as chunks."""

from __future__ import annotations

import pytest

from serve_app.backends.base import AttemptFailed
from serve_app.backends.dialects.openai_reply import decode_chunk, decode_whole
from serve_app.backends.dialects.unstreamed import as_stream

HELLO = b'{"id":"a","choices":[{"index":0,"delta":{"content":"hi"}}]}'

# ------------------------------------------------------------------- one chunk


def test_a_chunk_keeps_its_bytes() -> None:
    chunk = decode_chunk(HELLO)
    assert chunk.raw == HELLO
    assert chunk.choices[0].delta.content == "hi"
    assert not chunk.whole


def test_a_provider_cannot_set_our_own_fields() -> None:
    chunk = decode_chunk(
        b'{"choices":[{"delta":{}}],"serve_app.whole":true,"serve_app.raw":"eA=="}'
    )
    assert not chunk.whole
    assert chunk.raw.startswith(b"{")


def test_a_line_feed_between_tokens_does_not_reach_the_framing() -> None:
    chunk = decode_chunk(HELLO.replace(b",", b",\n"))
    assert b"\n" not in chunk.raw
    assert chunk.choices[0].delta.content == "hi"


@pytest.mark.parametrize(
    "payload",
    [
        b'{"id":null,"model":null,"choices":[{"index":0,"delta":{"content":"hi"}}]}',
        b'{"created":1.7e9,"choices":[{"index":0,"delta":{"content":"hi"}}]}',
        b'{"choices":[{"index":null,"delta":{"content":"hi","tool_calls":null}}]}',
    ],
)
def test_nulls_and_floats_where_openai_has_none_are_accepted(payload: bytes) -> None:
    chunk = decode_chunk(payload)
    assert chunk.choices[0].delta.content == "hi"
    assert chunk.raw == payload


@pytest.mark.parametrize(
    "payload",
    [
        b"{",
        b"[]",
        b'"hi"',
        b"hello",
        b'{"choices":[{"delta":{"content":7}}]}',
        b'{"choices":[{"delta":{"content":"\xff"}}]}',
        b'{"unknown":"\xff","choices":[{"delta":{}}]}',
    ],
)
def test_what_is_no_chunk_is_a_transient_failure(payload: bytes) -> None:
    with pytest.raises(AttemptFailed) as caught:
        decode_chunk(payload)
    assert caught.value.kind == "transient"
    assert caught.value.code == "malformed"


@pytest.mark.parametrize(
    ("payload", "kind", "status"),
    [
        (b'{"error":{"message":"boom","type":"server_error"}}', "transient", 500),
        (b'{"error":"boom"}', "transient", 500),
        (b'{"error":{"message":"slow down","code":"rate_limit_exceeded"}}', "transient", 429),
        (b'{"id":null,"error":{"message":"no","code":404}}', "caller", 404),
        (b'{"error":{"message":"no","type":"BadRequestError","code":400}}', "caller", 400),
        (
            b'{"error":{"message":"down","code":502},"choices":[{"finish_reason":"error"}]}',
            "transient",
            502,
        ),
    ],
)
def test_an_error_object_is_a_failure_by_its_code(payload: bytes, kind: str, status: int) -> None:
    with pytest.raises(AttemptFailed) as caught:
        decode_chunk(payload)
    assert (caught.value.kind, caught.value.status) == (kind, status)


def test_text_about_an_error_is_no_error() -> None:
    chunk = decode_chunk(b'{"choices":[{"delta":{"content":"\\"error\\": {}"}}]}')
    assert chunk.choices[0].delta.content == '"error": {}'


def test_a_null_error_beside_usage_is_no_error() -> None:
    chunk = decode_chunk(b'{"choices":[],"error":null,"usage":{"total_tokens":3}}')
    assert chunk.usage is not None
    assert chunk.usage.total_tokens == 3


# --------------------------------------------------------------------- a body


def test_a_body_becomes_one_whole_chunk() -> None:
    body = (
        b'{"id":"a","model":"m","created":5,"object":"chat.completion","usage":{"total_tokens":3},'
        b'"choices":[{"index":0,"message":{"role":"assistant","content":null,"reasoning_content":'
        b'"hm","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}},'
        b'{"id":"2","type":"function","function":{"name":"g","arguments":"{}"}}]},'
        b'"finish_reason":"tool_calls","logprobs":null}]}'
    )
    chunk = decode_whole(body)
    [choice] = chunk.choices
    assert chunk.whole
    assert chunk.raw == body
    assert chunk.usage is not None
    assert (chunk.id, chunk.model, chunk.created, chunk.usage.total_tokens) == ("a", "m", 5, 3)
    assert choice.finish_reason == "tool_calls"
    assert choice.delta.reasoning_content == "hm"
    assert [(c.index, c.id) for c in choice.delta.tool_calls or ()] == [(0, "1"), (1, "2")]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"choices":[]}', b"<html>"])
def test_a_body_that_is_no_completion_is_a_transient_failure(body: bytes) -> None:
    with pytest.raises(AttemptFailed) as caught:
        decode_whole(body)
    assert (caught.value.kind, caught.value.code) == ("transient", "malformed")


def test_an_error_object_as_body_is_a_failure_by_its_type() -> None:
    with pytest.raises(AttemptFailed, match="full up") as caught:
        decode_whole(b'{"error":{"message":"full up","type":"overloaded_error"}}')
    assert (caught.value.kind, caught.value.status) == ("transient", 503)


# ----------------------------------------------- a body in place of a stream


def test_a_whole_reply_can_be_told_as_a_stream() -> None:
    body = (
        b'{"id":"a","model":"m","created":5,"object":"chat.completion","usage":{"total_tokens":3},'
        b'"choices":[{"index":0,"message":{"role":"assistant","content":"hi","annotations":[1],'
        b'"refusal":null},"finish_reason":"length","logprobs":{"content":[]}},'
        b'{"index":1,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"1",'
        b'"type":"function","function":{"name":"f","arguments":"{}"}},{"id":"2","type":"function",'
        b'"function":{"name":"g","arguments":"{}"}}]}}]}'
    )
    chunks = as_stream(decode_whole(body))
    assert [(c.id, c.model, c.created, c.whole) for c in chunks] == [("a", "m", 5, False)] * 5
    first, end, calls, stop, usage = chunks
    assert first.choices[0].delta.content == "hi"
    assert first.choices[0].logprobs == {"content": []}
    assert b'"annotations":[1]' in first.raw
    assert b'"object":"chat.completion.chunk"' in first.raw
    assert end.choices[0].finish_reason == "length"
    assert [(t.index, t.id) for t in calls.choices[0].delta.tool_calls or ()] == [
        (0, "1"),
        (1, "2"),
    ]
    assert (stop.choices[0].index, stop.choices[0].finish_reason) == (1, "stop")
    assert usage.usage is not None
    assert (usage.choices, usage.usage.total_tokens) == ([], 3)
