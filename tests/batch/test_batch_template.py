"""Templates reach plain columns and nothing else; messages come out of them or of a column."""

from __future__ import annotations

import json
from typing import Any

import pytest

from serve_app.batch.failure import USAGE, BatchFailed
from serve_app.batch.template import BadRow, Prompter, Template


def test_columns_are_filled_in_and_doubled_braces_are_braces() -> None:
    template = Template("{{{a}}}: {my column}, {a}")
    assert template.columns == ("a", "my column")
    assert template.fill({"a": "x", "my column": "y"}) == "{x}: y, x"


@pytest.mark.parametrize(
    ("value", "text"), [(5, "5"), (1.5, "1.5"), (True, "true"), (["a", 1], '["a",1]'), ("", "")]
)
def test_values_that_are_no_text_are_written_as_json(value: object, text: str) -> None:
    assert Template("{a}").fill({"a": value}) == text


@pytest.mark.parametrize(
    "text", ["{a.__class__}", "{a[0]}", "{a!r}", "{a:>10}", "{}", "{0[a]}", "{a", "a}", '{"a": 1}']
)
def test_anything_but_a_name_is_refused(text: str) -> None:
    with pytest.raises(BatchFailed) as caught:
        Template(text)
    assert caught.value.exit_code == USAGE
    assert "braces" in caught.value.message


def test_a_filled_in_value_is_not_read_as_a_template() -> None:
    assert Template("{a}").fill({"a": "{b} {a}"}) == "{b} {a}"


@pytest.mark.parametrize(("row", "word"), [({}, "missing"), ({"a": None}, "null")])
def test_a_row_without_the_value_is_named_so(row: dict[str, Any], word: str) -> None:
    with pytest.raises(BadRow, match=word):
        Template("{a}").fill(row)


def fitting(columns: set[str], **options: str) -> Prompter:
    return Prompter.fitting(
        options.get("prompt"), options.get("messages_column"), options.get("system"), columns
    )


def test_a_prompt_becomes_a_users_message_after_the_systems() -> None:
    prompter = fitting({"text", "lang"}, prompt="Say {text}", system="Speak {lang}")
    assert json.loads(prompter.messages({"text": "hi", "lang": "French"})) == [
        {"role": "system", "content": "Speak French"},
        {"role": "user", "content": "Say hi"},
    ]


@pytest.mark.parametrize("as_text", [False, True])
def test_a_column_of_messages_is_taken_unasked_as_a_list_or_as_json(as_text: bool) -> None:
    messages = [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]
    row = {"messages": json.dumps(messages) if as_text else messages}
    assert json.loads(fitting({"messages", "id"}).messages(row)) == messages


def test_a_column_named_prompt_is_taken_unasked() -> None:
    assert json.loads(fitting({"prompt"}).messages({"prompt": "hi"}))[0]["content"] == "hi"


@pytest.mark.parametrize(
    "value", [None, [], "", "{", '{"role": "user"}', [1], [{"content": "hi"}], 7]
)
def test_a_column_without_messages_makes_a_bad_row(value: object) -> None:
    with pytest.raises(BadRow, match="messages"):
        fitting({"messages"}).messages({"messages": value})


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"prompt": "{missing}"}, "'missing'"),
        ({"prompt": "hi", "system": "{missing}"}, "--system"),
        ({"messages_column": "missing"}, "--messages-column"),
        ({"prompt": "{text}", "messages_column": "text"}, "either"),
        ({}, "--prompt"),
    ],
)
def test_columns_that_do_not_fit_are_named_with_those_that_there_are(
    options: dict[str, str], word: str
) -> None:
    with pytest.raises(BatchFailed, match=word) as caught:
        fitting({"text"}, **options)
    assert caught.value.exit_code == USAGE
