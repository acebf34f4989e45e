"""A prompt of a conversation, from beginning to end; what is cut, renamed, and said of it."""

from __future__ import annotations

import msgspec
from sessions.talks import answer, call, plain, policy, thread, user

from serve_app.core.types import ContentPart, FunctionCall, Message, ToolCall
from serve_app.sessions.cutting import cut, cut_text
from serve_app.sessions.pairs import paired
from serve_app.sessions.prompt import Asked, told
from serve_app.sessions.renaming import renamed
from serve_app.sessions.thread import Summary
from serve_app.sessions.window import History, Layout
from serve_app.wire import openai


def test_the_beginning_of_a_prompt_is_what_changes_least() -> None:
    turns = plain(4)
    turns[0].insert(0, Message("developer", "early"))
    history = History(thread(turns), [user("now")], policy())
    sent = told(history, Layout(2, summary=Summary(2, "told")), [user("now")])
    asked = Asked(
        openai.from_values(
            {
                "model": "m",
                "messages": [
                    {"role": "system", "content": "instructions"},
                    {"role": "user", "content": "now"},
                ],
            }
        ),
        1,
    )
    request = asked.behind(sent.messages)
    said = [str(m.content) for m in request.params.messages]
    assert said[0:2] == ["instructions", "early"]
    assert said[2].endswith("told")
    assert said[3:] == ["2?", "2!", "3?", "3!", "now"]
    raw = msgspec.json.decode(request.body())
    assert [m["content"] for m in raw["messages"]] == said
    assert (sent.cut_turns, asked.said) == (2, [user("now")])


def test_what_the_caller_sent_is_passed_on_as_it_is() -> None:
    """Images and fields that are not known to us are not lost behind a history."""
    image = {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}}
    message = {"role": "user", "content": [image], "cache_control": {"type": "ephemeral"}}
    asked = Asked(openai.from_values({"model": "m", "messages": [message]}), 0)
    body = msgspec.json.decode(asked.behind([user("before")]).body())
    assert body["messages"] == [{"role": "user", "content": "before"}, message]
    assert msgspec.json.decode(asked.body([user("b")])["messages"])[1] == message


def test_a_text_is_cut_in_the_middle_with_a_mark() -> None:
    text = "a" * 700 + "b" * 1234 + "c" * 300
    assert cut_text(text, 1000) == (
        "a" * 700 + "\n[... 1,234 characters left out ...]\n" + "c" * 300
    )
    assert cut_text("x" * 1048, 1000) == "x" * 1048
    assert len(cut_text("x" * 1049, 1000)) < 1049


def test_only_texts_of_a_conversation_are_cut() -> None:
    call_ = ToolCall("c", "function", FunctionCall("f", "x" * 5000))
    assert cut(system := Message("system", "x" * 5000), 100) is system
    assert cut(called := Message("assistant", None, tool_calls=[call_]), 100) is called
    parts = [ContentPart("text", "x" * 5000), ContentPart("text", "short")]
    short = cut(Message("user", parts), 100).content
    assert isinstance(short, list)
    assert [len(part.text or "") < 200 for part in short] == [True, True]
    assert short[1] == parts[1]


def test_halves_of_pairs_are_left_out_of_a_history() -> None:
    text = Message("assistant", "let me see", tool_calls=call("b").tool_calls)
    history = [answer("lost"), user(), call("a"), text, answer("c"), call("d", "e"), answer("d")]
    kept = paired(history, [answer("e")])
    assert kept == [user(), Message("assistant", "let me see"), call("d", "e"), answer("d")]
    assert paired(history, [])[-2:] == [call("d"), answer("d")]


def test_a_placeholder_that_somebody_else_took_gets_another_number() -> None:
    names = (("<EMAIL_1>", "bob@x"), ("<EMAIL_2>", "eve@x"), ("<PHONE_1>", "1"))
    known = (("<EMAIL_1>", "ann@x"), ("<PHONE_1>", "1"), ("<EMAIL_3>", "eva@x"))
    called = ToolCall("c", "function", FunctionCall("mail", '{"to":"<EMAIL_1>"}'))
    turn = [
        Message("user", "<EMAIL_1> and <EMAIL_2>, <PHONE_1>, <EMAIL_9>"),
        Message("assistant", [ContentPart("text", "<EMAIL_1>")], tool_calls=[called]),
    ]
    said, named = renamed(turn, names, known)
    assert named == (("<EMAIL_4>", "bob@x"), ("<EMAIL_2>", "eve@x"), ("<PHONE_1>", "1"))
    assert said[0].content == "<EMAIL_4> and <EMAIL_2>, <PHONE_1>, <EMAIL_9>"
    assert said[1].content == [ContentPart("text", "<EMAIL_4>")]
    assert said[1].tool_calls == [
        ToolCall("c", "function", FunctionCall("mail", '{"to":"<EMAIL_4>"}'))
    ]
    assert renamed(turn, names, ()) == (turn, names)
