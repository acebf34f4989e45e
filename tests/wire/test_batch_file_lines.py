"""Lines of batches' files, and the tokens of their answers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.core.batch import LineError
from serve_app.wire.batch_lines import RequestLine, answer_line, decode_line, skipped_line
from serve_app.wire.batch_usage import Tokens, tokens_of

URL = "/v1/chat/completions"
GOOD = {"custom_id": "a", "method": "POST", "url": URL, "body": {"model": "m", "x": [1, None]}}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def line(**changes: Any) -> bytes:
    value = {**GOOD, **changes}
    return json.dumps({name: one for name, one in value.items() if one is not ...}).encode()


def test_a_good_line_is_a_request() -> None:
    found = decode_line(b"\xef\xbb\xbf" + line() + b"\r", 1, URL)
    assert found == RequestLine("a", b'{"model": "m", "x": [1, null]}', "m")


def test_texts_to_embed_are_counted() -> None:
    body = {"model": "e", "input": ["a", "b", "c"]}
    found = decode_line(line(url="/v1/embeddings", body=body), 2, "/v1/embeddings")
    assert isinstance(found, RequestLine)
    assert found.inputs == 3


@pytest.mark.parametrize(
    ("text", "code", "param"),
    [
        (b"{", "invalid_json_line", None),
        (b"[]", "invalid_json_line", None),
        (b"\xff", "invalid_json_line", None),
        (b"[" * 100_000, "invalid_json_line", None),
        (line(custom_id=...), "missing_required_parameter", "custom_id"),
        (line(method=...), "missing_required_parameter", "method"),
        (line(url=None), "missing_required_parameter", "url"),
        (line(body=...), "missing_required_parameter", "body"),
        (line(body=None), "missing_required_parameter", "body"),
        (line(custom_id=3), "invalid_custom_id", "custom_id"),
        (line(custom_id=""), "invalid_custom_id", "custom_id"),
        (line(custom_id="x" * 513), "invalid_custom_id", "custom_id"),
        (line(method="GET"), "invalid_method", "method"),
        (line(url="/v1/embeddings"), "mismatched_url", "url"),
        (line(body=[1]), "invalid_body", "body"),
        (line(body="x"), "invalid_body", "body"),
    ],
)
def test_a_bad_line_says_what_is_wrong(text: bytes, code: str, param: str | None) -> None:
    found = decode_line(text, 7, URL)
    assert isinstance(found, LineError)
    assert (found.code, found.line, found.param) == (code, 7, param)


@given(value=JSON)
def test_any_json_is_a_request_or_an_error(value: object) -> None:
    assert isinstance(decode_line(json.dumps(value).encode(), 1, URL), RequestLine | LineError)


@given(text=st.binary(max_size=60))
def test_any_bytes_are_a_request_or_an_error(text: bytes) -> None:
    assert isinstance(decode_line(text, 1, URL), RequestLine | LineError)


@given(custom_id=st.text(min_size=1, max_size=20), body=st.dictionaries(st.text(), JSON))
def test_what_was_asked_comes_back_with_its_answer(custom_id: str, body: dict[str, Any]) -> None:
    found = decode_line(line(custom_id=custom_id, body=body), 1, URL)
    assert isinstance(found, RequestLine)
    assert json.loads(found.body) == body
    text = answer_line("batch_req_1", found.custom_id, 200, "req_1", json.dumps(body).encode())
    assert json.loads(text) == {
        "id": "batch_req_1",
        "custom_id": custom_id,
        "response": {"status_code": 200, "request_id": "req_1", "body": body},
        "error": None,
    }


def test_an_answer_is_one_line_however_it_was_written() -> None:
    text = answer_line("i", "c", 200, "r", b'{\n  "a": "x\\ny"\n}\n')
    assert text.count(b"\n") == 1
    assert json.loads(text)["response"]["body"] == {"a": "x\ny"}
    assert json.loads(answer_line("i", "c", 502, "r", b"<html>\n"))["response"]["body"] == (
        "<html>\n"
    )


def test_a_request_that_was_not_made_says_why() -> None:
    assert json.loads(skipped_line("i", "c", "batch_expired", "Too late.")) == {
        "id": "i",
        "custom_id": "c",
        "response": None,
        "error": {"code": "batch_expired", "message": "Too late."},
    }


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 5, "completion_tokens": 2}, Tokens(5, 0, 2, 0)),
        ({"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 3}}, Tokens(5, 3, 0, 0)),
        (
            {
                "input_tokens": 5,
                "output_tokens": 4,
                "input_tokens_details": {"cached_tokens": 1},
                "output_tokens_details": {"reasoning_tokens": 2},
            },
            Tokens(5, 1, 4, 2),
        ),
        (None, Tokens()),
        ({"prompt_tokens": "many"}, Tokens()),
    ],
)
def test_tokens_are_read_of_either_api(usage: object, expected: Tokens) -> None:
    assert tokens_of(json.dumps({"usage": usage}).encode()) == expected


def test_tokens_of_what_says_nothing_are_none() -> None:
    assert tokens_of(b"[]") == tokens_of(b"{") == tokens_of(b"{}") == Tokens()
