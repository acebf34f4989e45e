"""Anthropic's events and messages as canonical chunks, one by one."""

from __future__ import annotations

import pytest
from backend_calls import KEY
from dialect_talk import QUESTION, Said, a_call, backend

from serve_app.backends.base import AttemptFailed
from serve_app.backends.dialects.anthropic import AnthropicDialect
from serve_app.backends.dialects.anthropic_reply import Lead
from serve_app.core.clock import FakeClock

DIALECT = AnthropicDialect(backend("anthropic", "https://api.test/v1"), FakeClock(1000.0))


def decoded(*events: str, prefix: str = "") -> Said:
    decoder = DIALECT.decoder(a_call("any", QUESTION, prefix=prefix, stream=True), KEY)
    return Said(chunk for event in events for chunk in decoder.chunks(event.encode()))


def test_recorded_events_of_a_tool_call() -> None:
    """As in https://platform.claude.com/docs/en/build-with-claude/streaming."""
    said = decoded(
        '{"type":"message_start","message":{"id":"msg_014p7gG3wDgGV9EUtLvnow3U","type":"message",'
        '"role":"assistant","model":"claude-opus-4-5","stop_sequence":null,"usage":{"input_tokens"'
        ':472,"output_tokens":2},"content":[],"stop_reason":null}}',
        '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}',
        '{"type": "ping"}',
        '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Okay"}}',
        '{"type":"content_block_stop","index":0}',
        '{"type":"content_block_start","index":1,"content_block":{"type":"tool_use",'
        '"id":"toolu_01T1x1fJ34qAmk2tNTrN7Up6","name":"get_weather","input":{}}}',
        '{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta",'
        '"partial_json":""}}',
        '{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta",'
        '"partial_json":"{\\"location\\":"}}',
        '{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta",'
        '"partial_json":" \\"San Francisco\\"}"}}',
        '{"type":"content_block_stop","index":1}',
        '{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},'
        '"usage":{"output_tokens":89}}',
        '{"type":"message_stop"}',
    )
    assert said.message["content"] == "Okay"
    assert said.calls == [
        {
            "id": "toolu_01T1x1fJ34qAmk2tNTrN7Up6",
            "type": "function",
            "function": {"name": "get_weather", "arguments": '{"location": "San Francisco"}'},
        }
    ]
    assert said.finish == "tool_calls"
    assert said.usage == {"prompt_tokens": 472, "completion_tokens": 89, "total_tokens": 561}
    assert {chunk.created for chunk in said.chunks} == {1000}


def test_the_end_is_told() -> None:
    decoder = DIALECT.decoder(a_call("any", QUESTION, stream=True), None)
    assert decoder.chunks(b'{"type":"ping"}') == []
    assert not decoder.ended
    decoder.chunks(b'{"type":"message_stop"}')
    assert decoder.ended


@pytest.mark.parametrize(
    "event",
    ["", "{", "[]", '"x"', "{}", '{"type":7}', '{"type":"content_block_delta","delta":[]}'],
)
def test_what_is_no_event_is_malformed(event: str) -> None:
    with pytest.raises(AttemptFailed) as caught:
        decoded(event)
    assert caught.value.code == "malformed"


def test_our_key_does_not_show() -> None:
    error = f'{{"type":"error","error":{{"type":"api_error","message":"bad {KEY}"}}}}'
    with pytest.raises(AttemptFailed) as caught:
        decoded(error)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("body", ["", "{}", "[]", '{"type":"message","content":[]}', "<html>"])
def test_what_is_no_message_is_malformed(body: str) -> None:
    with pytest.raises(AttemptFailed) as caught:
        DIALECT.whole(a_call("any", QUESTION), body.encode(), KEY)
    assert caught.value.code == "malformed"


@pytest.mark.parametrize(
    ("prefix", "pieces", "expected"),
    [
        ("a", [" b"], " b"),
        ("a ", [" b"], "b"),
        ("a \n", [" ", "\nb"], "b"),
        ("a \n", [" b"], "b"),
        ("a ", ["b"], "b"),
        ("a ", ["", "  b"], " b"),
        ("", [" b"], " b"),
    ],
)
def test_white_space_is_not_said_twice(prefix: str, pieces: list[str], expected: str) -> None:
    lead = Lead(prefix)
    assert "".join(lead.off(piece) for piece in pieces) == expected
