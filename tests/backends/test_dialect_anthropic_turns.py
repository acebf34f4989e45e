"""Messages as Anthropic's turns."""

from __future__ import annotations

from anthropic_desk import DIALECT, Json, body, called, result, user
from dialect_talk import QUESTION, WEATHER, a_call
from hypothesis import given
from hypothesis import strategies as st


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
