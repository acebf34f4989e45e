"""Claude's thinking: how much is asked for, and its blocks sent back as they were."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from dialect_talk import QUESTION, WEATHER, a_call, backend
from provider.anthropic_rules import complaint, signature_of

from serve_app.backends.base import AttemptFailed
from serve_app.backends.dialects.anthropic import AnthropicDialect
from serve_app.backends.dialects.anthropic_thinking import FORMAT, thoughts_of
from serve_app.backends.dialects.canonical_request import Message

Json = dict[str, Any]

DIALECT = AnthropicDialect(backend("anthropic", "https://api.test/v1"))
OLD, FIRST_ADAPTIVE, NEW = "claude-haiku-4-5", "claude-opus-4-6", "claude-sonnet-5-5"


def body(model: str, messages: list[Json] | None = None, **more: Any) -> Json:
    call = a_call(model, QUESTION if messages is None else messages, **more)
    translated: Json = msgspec.json.decode(DIALECT.body(call))
    assert complaint(translated) == ""
    return translated


def loop(**thoughts: Any) -> list[Json]:
    """A tool loop after its first call."""
    function = {"name": "get_weather", "arguments": "{}"}
    call = {"id": "c1", "type": "function", "function": function}
    return [
        *QUESTION,
        {"role": "assistant", "content": None, "tool_calls": [call], **thoughts},
        {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
    ]


def thought(said: str, **more: Any) -> Json:
    return {"type": "reasoning.text", "signature": signature_of(said), "format": FORMAT, **more}


@pytest.mark.parametrize(
    ("effort", "budget"),
    [("minimal", 1024), ("low", 2048), ("medium", 8192), ("high", 16_384), ("xhigh", 32_768)],
)
def test_older_models_get_a_budget_and_no_temperature(effort: str, budget: int) -> None:
    translated = body(OLD, reasoning_effort=effort, temperature=0.2, max_tokens=65_536)
    assert translated["thinking"] == {"type": "enabled", "budget_tokens": budget}
    assert "temperature" not in translated


def test_a_budget_leaves_room_for_the_answer() -> None:
    assert body(OLD, reasoning_effort="high", max_tokens=4000)["thinking"]["budget_tokens"] == 2000
    assert "thinking" not in body(OLD, reasoning_effort="high", max_tokens=2000)
    assert "thinking" not in body(OLD, reasoning_effort="none")


def test_newer_models_get_an_effort_and_show_what_they_think() -> None:
    translated = body(NEW, reasoning_effort="high", temperature=0.2)
    assert translated["thinking"] == {"type": "adaptive", "display": "summarized"}
    assert translated["output_config"] == {"effort": "high"}
    assert "temperature" not in translated
    assert body(NEW, reasoning_effort="xhigh")["output_config"]["effort"] == "xhigh"
    assert body(FIRST_ADAPTIVE, reasoning_effort="xhigh")["output_config"]["effort"] == "high"
    assert body(FIRST_ADAPTIVE, temperature=0.2)["temperature"] == 0.2


def test_no_effort_is_the_least_where_thinking_cannot_be_stopped() -> None:
    translated = body(NEW, reasoning_effort="none")
    assert "thinking" not in translated
    assert translated["output_config"] == {"effort": "low"}


def test_effort_and_schema_share_a_field() -> None:
    wanted = {"type": "json_schema", "json_schema": {"schema": {"type": "object"}}}
    config = body(NEW, reasoning_effort="low", response_format=wanted)["output_config"]
    assert config.keys() == {"effort", "format"}


def test_a_forced_call_is_made_without_thinking() -> None:
    forced = {"tools": [WEATHER], "tool_choice": "required", "reasoning_effort": "high"}
    assert "thinking" not in body(OLD, **forced)
    assert "thinking" not in body(FIRST_ADAPTIVE, **forced)
    assert body("claude-opus-5", **forced)["thinking"] == {"type": "disabled"}
    with pytest.raises(AttemptFailed, match="tool calls by force"):
        body(NEW, **forced)


# ----------------------------------------------------------------- sent back


def test_thoughts_go_back_before_the_call_they_led_to() -> None:
    text = "Grüne 世界."
    thoughts = {"reasoning_content": text, "reasoning_details": [thought(text, chars=len(text))]}
    messages = loop(**thoughts)
    for model in (OLD, NEW):
        turn = body(model, messages, tools=[WEATHER], reasoning_effort="low")["messages"][1]
        assert turn["content"][0] == {
            "type": "thinking",
            "thinking": text,
            "signature": signature_of(text),
        }
        assert turn["content"][1]["type"] == "tool_use"


def test_sealed_thoughts_go_back_too() -> None:
    entries = [{"type": "reasoning.encrypted", "data": "c2VhbA==", "format": FORMAT}]
    turn = body(OLD, loop(reasoning_details=entries), tools=[WEATHER], reasoning_effort="low")[
        "messages"
    ][1]
    assert turn["content"][0] == {"type": "redacted_thinking", "data": "c2VhbA=="}


def test_a_model_that_does_not_think_now_gets_no_thoughts() -> None:
    thoughts = {"reasoning_content": "Hm.", "reasoning_details": [thought("Hm.", chars=3)]}
    for model, more in ((OLD, {}), (FIRST_ADAPTIVE, {}), (OLD, {"reasoning_effort": "none"})):
        turn = body(model, loop(**thoughts), tools=[WEATHER], **more)["messages"][1]
        assert [block["type"] for block in turn["content"]] == ["tool_use"]


def test_a_loop_that_lost_its_thoughts_goes_on_without_thinking() -> None:
    translated = body(OLD, loop(), tools=[WEATHER], reasoning_effort="high")
    assert "thinking" not in translated
    later = [*loop(), {"role": "assistant", "content": "Sunny."}, *QUESTION]
    assert "thinking" in body(OLD, later, tools=[WEATHER], reasoning_effort="high")


def restored(reasoning: str | None, *entries: Json) -> list[str]:
    message = Message("assistant", reasoning_content=reasoning, reasoning_details=list(entries))
    return [block.get("thinking", block.get("data")) for block in thoughts_of(message)]


def test_several_thoughts_share_the_reasoning_by_their_lengths() -> None:
    entries = [thought("one ", chars=4), thought("zwei", chars=4)]
    assert restored("one zwei", *entries) == ["one ", "zwei"]


def test_a_thought_may_have_its_text_or_be_the_only_one() -> None:
    assert restored("other", thought("own", text="own")) == ["own"]
    assert restored("all of it", thought("all of it")) == ["all of it"]
    assert restored("", thought("", chars=0)) == [""]


def test_changed_reasoning_is_not_sent_back() -> None:
    assert restored("redacted!", thought("secret", chars=6)) == []
    assert restored("a b", thought("a "), thought("b")) == []
    assert restored("ab", thought("a", chars=-1), thought("b", chars=3)) == []


def test_thoughts_of_other_providers_are_not_ours() -> None:
    foreign = {"type": "reasoning.encrypted", "data": "x", "format": "openai-responses-v1"}
    assert restored("a", foreign, {"type": "reasoning.summary", "summary": "a"}) == []
