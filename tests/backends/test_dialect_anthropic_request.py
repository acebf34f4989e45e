"""Tools and parameters of canonical requests as Anthropic's Messages API takes them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from anthropic_desk import Json, body, called, refused, user
from dialect_talk import QUESTION, WEATHER, a_call, backend

from serve_app.backends.dialects.anthropic import AnthropicDialect
from serve_app.backends.dialects.anthropic_models import manners_of

SCHEMA = {"type": "object", "properties": {"a": {"type": "object", "properties": {}}}}


# ------------------------------------------------------------------ tools


def test_tools_and_their_choice() -> None:
    cached = {**WEATHER, "cache_control": {"type": "ephemeral"}}
    bare = {"type": "function", "function": {"name": "now"}}
    assert body(tools=[cached, bare])["tools"] == [
        {
            "name": "get_weather",
            "description": "The weather of a city.",
            "input_schema": WEATHER["function"]["parameters"],  # type: ignore[index]
            "cache_control": {"type": "ephemeral"},
        },
        {"name": "now", "input_schema": {"type": "object", "properties": {}}},
    ]
    named = {"type": "function", "function": {"name": "get_weather"}}
    for choice, expected in (
        ("auto", {"type": "auto"}),
        ("none", {"type": "none"}),
        ("required", {"type": "any"}),
        (named, {"type": "tool", "name": "get_weather"}),
    ):
        assert body(tools=[WEATHER], tool_choice=choice)["tool_choice"] == expected
    assert "tool_choice" not in body(tool_choice="auto")


def test_one_call_at_a_time() -> None:
    def choice(**more: Any) -> Json:
        chosen: Json = body(tools=[WEATHER], parallel_tool_calls=False, **more)["tool_choice"]
        return chosen

    assert choice() == {"type": "auto", "disable_parallel_tool_use": True}
    assert choice(tool_choice="required")["disable_parallel_tool_use"] is True
    assert choice(tool_choice="none") == {"type": "none"}


def test_strict_tools_only_where_schemas_are_obeyed() -> None:
    strict = {"type": "function", "function": {**WEATHER["function"], "strict": True}}  # type: ignore[dict-item]
    able = {"id": "able", "context": 1000, "capabilities": ["json_schema"]}
    dialect = AnthropicDialect(backend("anthropic", "https://api.test", models=[able]))
    call = a_call("able", QUESTION, tools=[strict])
    assert msgspec.json.decode(dialect.body(call))["tools"][0]["strict"] is True
    assert "strict" not in body(tools=[strict])["tools"][0]


# --------------------------------------------------------------- parameters


def test_parameters() -> None:
    translated = body(temperature=1.7, top_k=5, stop="END", user="u" * 300, stream=True)
    assert translated["temperature"] == 1.0
    assert translated["top_k"] == 5
    assert translated["stop_sequences"] == ["END"]
    assert translated["metadata"] == {"user_id": "u" * 256}
    assert translated["stream"] is True
    assert body(temperature=0.5, top_p=0.5).keys() & {"temperature", "top_p"} == {"temperature"}
    assert body(top_p=0.5)["top_p"] == 0.5


def test_what_only_advises_is_left_out() -> None:
    fields = {"presence_penalty": 1.0, "frequency_penalty": 0.5, "store": True, "metadata": {}}
    assert body(**fields, service_tier="flex", stream_options={"include_usage": True}) == body()


def test_fields_may_be_dropped_by_backend_and_by_model() -> None:
    models = [{"id": "one", "context": 9, "drop": ["temperature"]}, {"id": "two", "context": 9}]
    quirks = {"drop": ["user"]}
    dialect = AnthropicDialect(
        backend("anthropic", "https://api.test", models=models, quirks=quirks)
    )

    def fields(model: str) -> set[str]:
        call = a_call(model, QUESTION, temperature=0.5, user="me")
        return {*msgspec.json.decode(dialect.body(call))}

    assert fields("one") == {"model", "max_tokens", "messages"}
    assert fields("two") == {"model", "max_tokens", "messages", "temperature"}


def test_a_schema_becomes_an_output_format_with_closed_objects() -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
    format_ = body(response_format=wanted)["output_config"]["format"]
    assert format_ == {
        "type": "json_schema",
        "schema": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "a": {"type": "object", "properties": {}, "additionalProperties": False}
            },
        },
    }
    assert "output_config" not in body(response_format={"type": "text"})


@pytest.mark.parametrize(
    ("fields", "what", "param"),
    [
        ({"n": 2}, "n above 1", "n"),
        ({"seed": 7}, "seed", "seed"),
        ({"logprobs": True}, "log-probabilities", "logprobs"),
        ({"logit_bias": {"5": 1.0}}, "logit_bias", "logit_bias"),
        ({"modalities": ["text", "audio"]}, "answers but as text", "modalities"),
        ({"functions": [{"name": "f"}]}, "functions but as tools", "functions"),
        ({"response_format": {"type": "json_object"}}, "'json_object'", "response_format"),
        ({"stop": ["\n"]}, "stop sequences of white space", "stop"),
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "'custom'", "tools"),
        (
            {"tools": [WEATHER], "tool_choice": {"type": "allowed_tools"}},
            "'allowed_tools'",
            "tool_choice",
        ),
        (
            {"messages": [{"role": "function", "name": "f", "content": "1"}]},
            "'function'",
            "messages",
        ),
        ({"messages": user({"type": "input_audio"})}, "'input_audio'", "messages"),
        ({"messages": [*QUESTION, called("[1]")]}, "no JSON object", "messages"),
        ({"messages": [*QUESTION, called('{"city"')]}, "no JSON object", "messages"),
        (
            {"messages": user({"type": "image_url", "image_url": {"url": "ftp://a/b"}})},
            "by http(s) address",
            "messages",
        ),
    ],
)
def test_what_it_has_no_words_for_is_for_another_candidate(
    fields: Json, what: str, param: str
) -> None:
    failed = refused(**fields)
    assert (failed.kind, failed.code, failed.param) == ("candidate", "unsupported", param)
    assert failed.message.startswith("Anthropic has no ")
    assert what in failed.message


def test_a_request_of_a_wrong_shape_is_the_callers_fault() -> None:
    failed = refused(messages=user({"type": "image_url", "image_url": "https://a.test"}))
    assert (failed.kind, failed.status) == ("caller", 400)
    assert failed.param == "messages[0].content[0].image_url"


def test_embeddings_it_has_none() -> None:
    assert refused(endpoint="embeddings", input="x").message == "Anthropic has no embeddings"


# ------------------------------------------------------------- begun answers


def test_a_begun_answer_is_a_last_turn_without_white_space_at_its_end() -> None:
    turns = body(prefix="You said: \n")["messages"]
    assert turns[-1] == {"role": "assistant", "content": [{"type": "text", "text": "You said:"}]}
    assert body(prefix=" \n")["messages"][-1]["role"] == "user"


def test_a_callers_own_beginning_loses_its_last_white_space_too() -> None:
    messages = [*QUESTION, {"role": "assistant", "content": "Yes, "}]
    assert body(messages=messages)["messages"][-1]["content"][0]["text"] == "Yes,"
    more = body(messages=messages, prefix="and ")["messages"][-1]["content"]
    assert [block["text"] for block in more] == ["Yes, ", "and"]


@pytest.mark.parametrize("model", ["claude-opus-4-6", "claude-sonnet-5-5"])
def test_newer_models_take_no_beginning(model: str) -> None:
    assert "answers that were begun" in refused(model, prefix="You said").message
    messages = [*QUESTION, {"role": "assistant", "content": "Yes"}]
    assert "answers that were begun" in refused(model, messages).message


def test_a_begun_answer_follows_no_schema() -> None:
    wanted = {"type": "json_schema", "json_schema": {"schema": SCHEMA}}
    assert "begun answers" in refused(prefix="{", response_format=wanted).message


# ------------------------------------------------------------------ manners


@pytest.mark.parametrize(
    ("model", "adaptive", "sampling", "prefix", "forced"),
    [
        ("claude-3-7-sonnet-latest", False, True, True, True),
        ("claude-sonnet-4-20250514", False, True, True, True),
        ("claude-haiku-4-5-20251001", False, True, True, True),
        ("claude-opus-4-6", True, True, False, True),
        ("claude-opus-4-8", True, False, False, True),
        ("claude-sonnet-5", True, False, False, True),
        ("claude-fable-5", True, False, False, False),
        ("claude-opus-5-5", True, False, False, False),
        ("claude-mythos-preview", True, False, False, False),
        ("MiniMax-M2.7", False, True, True, True),
    ],
)
def test_manners_by_name(
    model: str, adaptive: bool, sampling: bool, prefix: bool, forced: bool
) -> None:
    manners = manners_of(model)
    assert manners.is_adaptive is adaptive
    assert manners.takes_sampling is sampling
    assert manners.takes_prefix is prefix
    assert manners.may_be_forced is forced
