"""Canonical requests as Gemini's API takes them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from dialect_talk import QUESTION, WEATHER, a_call, backend
from hypothesis import given
from hypothesis import strategies as st
from provider.gemini_rules import complaint, signature_of

from serve_app.backends.base import AttemptFailed
from serve_app.backends.dialects.gemini import GeminiDialect

Json = dict[str, Any]

DIALECT = GeminiDialect(backend("gemini", "https://api.test/v1beta"))
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}


def body(model: str = "any", messages: list[Json] | None = None, **more: Any) -> Json:
    call = a_call(model, QUESTION if messages is None else messages, **more)
    translated: Json = msgspec.json.decode(DIALECT.body(call))
    assert complaint(translated, model) == ""
    return translated


def config(model: str = "any", **more: Any) -> Json:
    found: Json = body(model, **more).get("generationConfig", {})
    return found


def called(*ids: str, extra: Json | None = None, arguments: str = '{"city": "Oslo"}') -> Json:
    function = {"name": "get_weather", "arguments": arguments}
    calls: list[Json] = [{"id": id_, "type": "function", "function": function} for id_ in ids]
    if extra is not None:
        calls[0]["extra_content"] = extra
    return {"role": "assistant", "content": None, "tool_calls": calls}


def result(id_: str, text: str = "sunny", **more: Any) -> Json:
    return {"role": "tool", "tool_call_id": id_, "content": text, **more}


def test_a_plain_question() -> None:
    parts = [{"text": "hello dear wörld 世界"}]
    assert body() == {"contents": [{"role": "user", "parts": parts}]}


def test_paths_and_headers() -> None:
    def path(dialect: GeminiDialect = DIALECT, model: str = "g", **more: Any) -> str:
        return dialect.path(a_call(model, QUESTION, **more))

    assert path() == "/models/g:generateContent"
    assert path(stream=True) == "/models/g:streamGenerateContent?alt=sse"
    assert path(endpoint="embeddings") == "/models/g:batchEmbedContents"
    assert path(model="../x?y") == "/models/..%2Fx%3Fy:generateContent"
    quirks = {"path": "/publishers/google/models/{model}", "query": {"a": "b c"}}
    other = GeminiDialect(backend("gemini", "https://api.test", quirks=quirks))
    assert path(other) == "/publishers/google/models/g:generateContent?a=b+c"
    assert path(other, stream=True).endswith(":streamGenerateContent?alt=sse&a=b+c")
    assert DIALECT.headers("k") == {"x-goog-api-key": "k"}
    assert DIALECT.headers(None) == {}


def test_system_messages_stand_apart_in_order() -> None:
    messages = [
        {"role": "system", "content": "one"},
        *QUESTION,
        {"role": "developer", "content": [{"type": "text", "text": "two"}]},
    ]
    translated = body(messages=messages)
    assert translated["systemInstruction"] == {"parts": [{"text": "one"}, {"text": "two"}]}
    assert [content["role"] for content in translated["contents"]] == ["user"]


def test_calls_and_results_of_tools() -> None:
    messages = [*QUESTION, called("a", "b"), result("a"), result("b", "none", is_error=True)]
    contents = body(messages=messages, tools=[WEATHER])["contents"]
    value = {"name": "get_weather", "args": {"city": "Oslo"}}
    assert [content["role"] for content in contents] == ["user", "model", "user"]
    assert [part["functionCall"] for part in contents[1]["parts"]] == [
        {"id": "a", **value},
        {"id": "b", **value},
    ]
    assert [part["functionResponse"] for part in contents[2]["parts"]] == [
        {"id": "a", "name": "get_weather", "response": {"output": "sunny"}},
        {"id": "b", "name": "get_weather", "response": {"error": "none"}},
    ]


def test_signatures_go_back_with_what_they_sign() -> None:
    signed = {"google": {"thought_signature": signature_of("get_weather")}}
    messages = [
        *QUESTION,
        {"role": "assistant", "content": "Hm.", "extra_content": signed},
        *QUESTION,
        called("a", extra=signed),
        result("a"),
    ]
    contents = body("gemini-3-x", messages, tools=[WEATHER])["contents"]
    assert contents[1]["parts"][0]["thoughtSignature"] == signature_of("get_weather")
    assert contents[3]["parts"][0]["thoughtSignature"] == signature_of("get_weather")


def test_a_call_of_another_model_says_that_it_is_not_signed() -> None:
    messages = [*QUESTION, called("a", "b"), result("a"), result("b")]

    def signatures(model: str) -> list[str | None]:
        contents = body(model, messages, tools=[WEATHER])["contents"]
        return [part.get("thoughtSignature") for part in contents[1]["parts"]]

    assert signatures("gemini-3.8-flash") == ["skip_thought_signature_validator", None]
    assert signatures("gemini-2.5-pro") == [None, None]


def test_images_and_files() -> None:
    parts = [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
        {"type": "image_url", "image_url": {"url": "https://a.test/b.webp?c=d.png"}},
        {"type": "image_url", "image_url": {"url": "https://a.test/b"}},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,QUJD"}},
    ]
    sent = body(messages=[{"role": "user", "content": parts}])["contents"][0]["parts"]
    assert sent == [
        {"inlineData": {"mimeType": "image/png", "data": "QUJD"}},
        {"fileData": {"mimeType": "image/webp", "fileUri": "https://a.test/b.webp?c=d.png"}},
        {"fileData": {"mimeType": "image/jpeg", "fileUri": "https://a.test/b"}},
        {"inlineData": {"mimeType": "application/pdf", "data": "QUJD"}},
    ]


def test_tools_and_their_choice() -> None:
    bare = {"type": "function", "function": {"name": "now", "strict": True}}
    assert body(tools=[WEATHER, bare])["tools"] == [
        {
            "functionDeclarations": [
                {
                    "name": "get_weather",
                    "description": "The weather of a city.",
                    "parametersJsonSchema": WEATHER["function"]["parameters"],  # type: ignore[index]
                },
                {"name": "now"},
            ]
        }
    ]
    named = {"type": "function", "function": {"name": "get_weather"}}
    for choice, expected in (
        ("auto", {"mode": "AUTO"}),
        ("none", {"mode": "NONE"}),
        ("required", {"mode": "ANY"}),
        (named, {"mode": "ANY", "allowedFunctionNames": ["get_weather"]}),
    ):
        chosen = body(tools=[WEATHER], tool_choice=choice)["toolConfig"]
        assert chosen == {"functionCallingConfig": expected}
    assert "toolConfig" not in body(tool_choice="auto")


def test_parameters() -> None:
    assert config(
        max_completion_tokens=9, stop=["a", "b"], temperature=1.5, top_p=0.5, top_k=4, n=2,
        seed=2**40 + 7, presence_penalty=1.0, frequency_penalty=-1.0, logprobs=True, top_logprobs=3,
    ) == {
        "maxOutputTokens": 9,
        "stopSequences": ["a", "b"],
        "temperature": 1.5,
        "topP": 0.5,
        "topK": 4,
        "candidateCount": 2,
        "seed": 7,
        "presencePenalty": 1.0,
        "frequencyPenalty": -1.0,
        "responseLogprobs": True,
        "logprobs": 3,
    }  # fmt: skip


def test_what_means_nothing_is_left_out() -> None:
    fields = {"presence_penalty": 0, "n": 1, "logprobs": False, "store": True, "user": "me"}
    assert body(**fields) == body()


def test_json_by_schema_and_without() -> None:
    by_schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
    json = "application/json"
    assert config(response_format=by_schema) == {
        "responseMimeType": json,
        "responseJsonSchema": SCHEMA,
    }
    assert config(response_format={"type": "json_object"}) == {"responseMimeType": json}
    assert config(response_format={"type": "text"}) == {}


@pytest.mark.parametrize(
    ("model", "effort", "expected"),
    [
        ("gemini-2.5-flash", "none", {"thinkingBudget": 0}),
        ("gemini-2.5-pro", "none", {"thinkingBudget": 128}),
        ("gemini-2.5-pro", "low", {"thinkingBudget": 1024, "includeThoughts": True}),
        ("gemini-2.5-pro", "high", {"thinkingBudget": 24_576, "includeThoughts": True}),
        ("gemini-3.8-flash", "none", {"thinkingLevel": "minimal"}),
        ("gemini-3.8-flash", "minimal", {"thinkingLevel": "minimal", "includeThoughts": True}),
        ("gemini-3.1-pro-preview", "minimal", {"thinkingLevel": "low", "includeThoughts": True}),
        ("gemini-3.1-pro-preview", "medium", {"thinkingLevel": "medium", "includeThoughts": True}),
        ("gemini-4-argon", "xhigh", {"thinkingLevel": "high", "includeThoughts": True}),
    ],
)
def test_thinking(model: str, effort: str, expected: Json) -> None:
    assert config(model, reasoning_effort=effort)["thinkingConfig"] == expected


def test_a_begun_answer_is_a_last_content() -> None:
    contents = body(prefix="You said: ")["contents"]
    assert contents[-1] == {"role": "model", "parts": [{"text": "You said: "}]}


def test_a_talk_that_begins_with_an_answer_gets_a_first_turn() -> None:
    messages = [{"role": "assistant", "content": "Welcome."}, *QUESTION]
    roles = [content["role"] for content in body(messages=messages)["contents"]]
    assert roles == ["user", "model", "user"]


@pytest.mark.parametrize(
    ("fields", "what", "param"),
    [
        ({"logit_bias": {"5": 1.0}}, "logit_bias", "logit_bias"),
        ({"modalities": ["audio"]}, "answers but as text", "modalities"),
        ({"functions": [{"name": "f"}]}, "functions but as tools", "functions"),
        (
            {"tools": [WEATHER], "parallel_tool_calls": False},
            "one tool call at a time",
            "parallel_tool_calls",
        ),
        ({"tools": [{"type": "custom"}]}, "'custom'", "tools"),
        (
            {"tools": [WEATHER], "tool_choice": {"type": "allowed_tools"}},
            "'allowed_tools'",
            "tool_choice",
        ),
        ({"response_format": {"type": "grammar"}}, "'grammar'", "response_format"),
        ({"messages": [*QUESTION, called("a", arguments="no")]}, "no JSON object", "messages"),
        ({"messages": [*QUESTION, result("nobody")]}, "tools that nobody called", "messages"),
        ({"messages": [{"role": "function", "content": "1"}]}, "'function'", "messages"),
    ],
)
def test_what_it_has_no_words_for_is_for_another_candidate(
    fields: Json, what: str, param: str
) -> None:
    messages = fields.pop("messages", QUESTION)
    with pytest.raises(AttemptFailed) as caught:
        DIALECT.body(a_call("any", messages, **fields))
    failed = caught.value
    assert (failed.kind, failed.code, failed.param) == ("candidate", "unsupported", param)
    assert what in failed.message


_TEXTS = st.text(max_size=8)
_SAID = st.one_of(
    st.builds(lambda t: [{"role": "user", "content": t}], _TEXTS),
    st.builds(lambda t: [{"role": "assistant", "content": t or "ok"}], _TEXTS),
    st.builds(lambda t: [{"role": "system", "content": t}], _TEXTS),
    st.builds(lambda t: [called("a", "b"), result("a", t), result("b", t)], _TEXTS),
)


@given(st.lists(_SAID, max_size=6))
def test_whatever_was_said_the_api_takes_it(said: list[list[Json]]) -> None:
    messages = [message for group in said for message in group] + QUESTION
    body("gemini-3.8-flash", messages, tools=[WEATHER])


# -------------------------------------------------------------- embeddings


def embed(**fields: Any) -> Json:
    translated: Json = msgspec.json.decode(
        DIALECT.body(a_call("e", [], endpoint="embeddings", **fields))
    )
    return translated


def test_texts_to_embed() -> None:
    def request(text: str, **more: Any) -> Json:
        return {"model": "models/e", "content": {"parts": [{"text": text}]}, **more}

    assert embed(input="a") == {"requests": [request("a")]}
    assert embed(input=["a", "b"], dimensions=2) == {
        "requests": [request("a", outputDimensionality=2), request("b", outputDimensionality=2)]
    }


def test_tokens_cannot_be_embedded() -> None:
    with pytest.raises(AttemptFailed) as caught:
        embed(input=[[1, 2]])
    assert (caught.value.kind, caught.value.param) == ("candidate", "input")
