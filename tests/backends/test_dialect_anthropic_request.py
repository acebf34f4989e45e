"""Canonical requests as Anthropic's Messages API takes them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from dialect_talk import QUESTION, WEATHER, a_call, backend
from hypothesis import given
from hypothesis import strategies as st
from provider.anthropic_rules import complaint

from serve_app.backends.base import AttemptFailed
from serve_app.backends.dialects.anthropic import AnthropicDialect
from serve_app.backends.dialects.anthropic_models import manners_of

Json = dict[str, Any]

DIALECT = AnthropicDialect(backend("anthropic", "https://api.test/v1"))
SCHEMA = {"type": "object", "properties": {"a": {"type": "object", "properties": {}}}}


def body(model: str = "any", messages: list[Json] | None = None, **more: Any) -> Json:
    call = a_call(model, QUESTION if messages is None else messages, **more)
    translated: Json = msgspec.json.decode(DIALECT.body(call))
    assert complaint(translated) == ""
    return translated


def refused(model: str = "any", messages: list[Json] | None = None, **more: Any) -> AttemptFailed:
    with pytest.raises(AttemptFailed) as caught:
        DIALECT.body(a_call(model, QUESTION if messages is None else messages, **more))
    return caught.value


def user(*parts: Json) -> list[Json]:
    return [{"role": "user", "content": list(parts)}]


def called(arguments: str = '{"city": "Paris"}', id_: str = "call_1") -> Json:
    function = {"name": "get_weather", "arguments": arguments}
    call = {"id": id_, "type": "function", "function": function}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def result(text: str = "sunny", id_: str = "call_1", **more: Any) -> Json:
    return {"role": "tool", "tool_call_id": id_, "content": text, **more}


def test_a_plain_question() -> None:
    assert body() == {
        "model": "any",
        "max_tokens": 64_000,
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "hello dear wörld 世界"}]}
        ],
    }


def test_path_and_headers() -> None:
    assert DIALECT.path(a_call("any", QUESTION)) == "/messages"
    assert DIALECT.headers("k") == {"anthropic-version": "2023-06-01", "x-api-key": "k"}
    assert DIALECT.headers(None) == {"anthropic-version": "2023-06-01"}


def test_the_limit_is_the_requests_then_the_models_then_ours() -> None:
    assert body(max_completion_tokens=7, max_tokens=9)["max_tokens"] == 7
    assert body(max_tokens=9)["max_tokens"] == 9
    assert body("unknown-model")["max_tokens"] == 4096


def test_system_messages_stand_apart_in_order_and_keep_their_cache_marks() -> None:
    cached = {"type": "text", "text": "two", "cache_control": {"type": "ephemeral"}}
    messages = [
        {"role": "system", "content": "one"},
        *QUESTION,
        {"role": "developer", "content": [cached]},
    ]
    translated = body(messages=messages)
    assert translated["system"] == [{"type": "text", "text": "one"}, cached]
    assert [turn["role"] for turn in translated["messages"]] == ["user"]


def test_turns_alternate_and_results_come_first() -> None:
    messages = [
        {"role": "user", "content": "a"},
        {"role": "user", "content": "b"},
        called(),
        result(),
        {"role": "user", "content": "and now?"},
    ]
    turns = body(messages=messages, tools=[WEATHER])["messages"]
    assert [(t["role"], [b["type"] for b in t["content"]]) for t in turns] == [
        ("user", ["text", "text"]),
        ("assistant", ["tool_use"]),
        ("user", ["tool_result", "text"]),
    ]


def test_calls_and_results_of_tools() -> None:
    two = called()
    two["content"] = "I look."
    two["tool_calls"].append({**two["tool_calls"][0], "id": "functions.get_weather:1"})
    failed = result("no such city", "functions.get_weather:1", is_error=True)
    turns = body(messages=[*QUESTION, two, result(), failed], tools=[WEATHER])["messages"]
    use = {"type": "tool_use", "id": "call_1", "name": "get_weather", "input": {"city": "Paris"}}
    assert turns[1]["content"] == [
        {"type": "text", "text": "I look."},
        use,
        {**use, "id": "functions_get_weather_1"},  # ids of other providers, as this one takes them
    ]
    text = {"type": "text", "text": "sunny"}
    assert turns[2]["content"] == [
        {"type": "tool_result", "tool_use_id": "call_1", "content": [text]},
        {
            "type": "tool_result",
            "tool_use_id": "functions_get_weather_1",
            "content": [{**text, "text": "no such city"}],
            "is_error": True,
        },
    ]


def test_a_result_keeps_its_cache_mark() -> None:
    mark = {"type": "ephemeral", "ttl": "1h"}
    marked = result()
    marked["content"] = [{"type": "text", "text": "sunny", "cache_control": mark}]
    turns = body(messages=[*QUESTION, called(), marked], tools=[WEATHER])["messages"]
    assert turns[2]["content"][0]["cache_control"] == mark
    assert "cache_control" not in turns[2]["content"][0]["content"][0]


def test_a_call_without_arguments_has_an_empty_input() -> None:
    turns = body(messages=[*QUESTION, called(""), result()], tools=[WEATHER])["messages"]
    assert turns[1]["content"][0]["input"] == {}


def test_images_and_documents() -> None:
    parts = [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "https://a.test/b.png"}},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,QUJD"}},
    ]
    base64 = {"type": "base64", "media_type": "image/png", "data": "QUJD"}
    assert body(messages=user(*parts))["messages"][0]["content"] == [
        {"type": "image", "source": base64},
        {"type": "image", "source": {"type": "url", "url": "https://a.test/b.png"}},
        {"type": "document", "source": {**base64, "media_type": "application/pdf"}},
    ]


def test_a_talk_that_begins_with_an_answer_gets_a_first_turn() -> None:
    messages = [{"role": "assistant", "content": "Welcome."}, *QUESTION]
    assert [t["role"] for t in body(messages=messages)["messages"]] == ["user", "assistant", "user"]
    assert body(messages=[{"role": "system", "content": "Be kind."}])["messages"]


def test_texts_of_nothing_are_left_out() -> None:
    messages = [*user({"type": "text", "text": " \n"}, {"type": "text", "text": "hi"})]
    assert body(messages=messages)["messages"][0]["content"] == [{"type": "text", "text": "hi"}]


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


# ------------------------------------------------------------ property tests

_TEXTS = st.text(max_size=8)
_SAID = st.one_of(
    st.builds(lambda t: [{"role": "user", "content": t}], _TEXTS),
    st.builds(lambda t: [{"role": "assistant", "content": t or "ok"}], _TEXTS),
    st.builds(lambda t: [{"role": "system", "content": t}], _TEXTS),
    st.builds(
        lambda t, n: [
            called(id_=f"call.{n}"),
            result(t, f"call.{n}"),
        ],
        _TEXTS,
        st.integers(0, 9),
    ),
)


@given(st.lists(_SAID, max_size=6), st.booleans())
def test_whatever_was_said_the_api_takes_it(said: list[list[Json]], thinks: bool) -> None:
    messages = [message for group in said for message in group] + QUESTION
    more = {"reasoning_effort": "low"} if thinks else {}
    body("claude-haiku-4-5", messages, tools=[WEATHER], **more)


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
