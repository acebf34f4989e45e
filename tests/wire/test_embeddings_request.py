"""Requests for embeddings: texts seen like any other, written back where they stood."""

from __future__ import annotations

import json
from typing import Any

import pytest
from wire_chunks import Told

from serve_app.core.errors import BadRequest
from serve_app.core.types import ChatRequest, Chunk
from serve_app.wire import openai, route
from serve_app.wire.embeddings import Embeddings


def decode(**fields: Any) -> ChatRequest:
    return Embeddings().decode(json.dumps({"model": "auto", **fields}).encode())


def test_each_text_is_a_message_to_the_stages() -> None:
    request = decode(input=["one", "two"], dimensions=8, encoding_format="base64", user="u")
    assert request.endpoint == "embeddings"
    assert not request.streaming
    assert openai.texts_of(request, "t").texts == ("one", "two")
    assert openai.last_user_text(request, 10) == "two"
    assert openai.needs_of(request) == ()
    assert openai.conversation_of(request, "t") == ""
    assert json.loads(request.body(model=b'"m"')) == {
        "model": "m", "input": ["one", "two"], "dimensions": 8,
        "encoding_format": "base64", "user": "u",
    }  # fmt: skip


@pytest.mark.parametrize(("given", "back"), [("a@b.co", "***"), (["a@b.co"], ["***"])])
def test_redacted_texts_stand_where_the_texts_stood(given: Any, back: Any) -> None:
    changed = openai.with_texts(decode(input=given), ("***",))
    assert changed.endpoint == "embeddings"
    assert json.loads(changed.body())["input"] == back
    assert openai.texts_of(changed, "t").texts == ("***",)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "input"),
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": ["a"] * 2049}, "input"),
        ({"input": ["a", ""]}, "input[1]"),
        ({"input": ["a", None]}, "input[1]"),
        ({"input": [1, 2]}, "input"),
        ({"input": [[1, 2], [3]]}, "input"),
        ({"input": {"text": "a"}}, "input"),
        ({"input": "a", "dimensions": 0}, "dimensions"),
        ({"input": "a", "dimensions": 65_537}, "dimensions"),
        ({"input": "a", "encoding_format": "int8"}, "encoding_format"),
        ({"input": "a", "user": 3}, "user"),
        ({"input": "a", "stream": True}, "stream"),
        ({"input": "a", "model": ""}, "model"),
        ({"input": "a", "messages": []}, "messages"),
    ],
)
def test_the_field_at_fault_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        decode(**fields)
    assert refused.value.param == param


def test_tokens_are_refused_with_the_reason() -> None:
    with pytest.raises(BadRequest, match="cannot read tokens"):
        decode(input=[[1, 2]])


def test_the_reply_goes_out_as_it_came() -> None:
    raw = b'{"object":"list","data":[{"embedding":[0.10]}],"model":"m"}'
    assert Embeddings().whole(Chunk(raw=raw, whole=True), Told()) == raw


def test_a_dry_run_takes_either_kind() -> None:
    asked = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}
    chat = route.decode(json.dumps({**asked, "endpoint": "chat"}).encode())
    assert (chat.endpoint, set(chat.fields)) == ("chat", {"model", "messages"})
    vectors = route.decode(b'{"model": "auto", "input": "hi", "endpoint": "embeddings"}')
    assert (vectors.endpoint, set(vectors.fields)) == ("embeddings", {"model", "input"})
    for wrong in (b"{", b'{"endpoint": "audio"}', b"\xff"):
        with pytest.raises(BadRequest):
            route.decode(wrong)
