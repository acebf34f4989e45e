from __future__ import annotations

import pytest

from serve_app.backends.refusal import (
    MAX_MESSAGE,
    Refusal,
    failure,
    read_refusal,
)
from serve_app.backends.retry_after import read_retry_after

WALL_S = 784_111_777.0  # Sun, 06 Nov 1994 08:49:37 GMT


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 529])
def test_what_may_pass_is_transient(status: int) -> None:
    assert failure(status, Refusal("busy")).kind == "transient"


@pytest.mark.parametrize("status", [204, 302, 401, 402, 403, 405, 413, 451])
def test_what_another_may_do_is_for_the_next_candidate(status: int) -> None:
    assert failure(status, Refusal("no")).kind == "candidate"


@pytest.mark.parametrize("status", [400, 404, 422])
def test_a_wrong_request_is_the_callers_with_the_providers_words(status: int) -> None:
    failed = failure(status, Refusal("too hot", code="invalid_value", param="temperature"))
    assert failed.kind == "caller"
    assert (failed.message, failed.code, failed.param) == (
        "too hot",
        "invalid_value",
        "temperature",
    )


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal("long", code="context_length_exceeded"),
        Refusal("This model's maximum context length is 8192 tokens, however you requested 9000"),
        Refusal("The prompt is too long for this model"),
        Refusal("Range of input length should be [1, 30720]"),
        Refusal("The input token count (5) exceeds the maximum number of tokens allowed (4)."),
    ],
)
def test_a_prompt_that_does_not_fit_is_for_the_next_candidate(refusal: Refusal) -> None:
    failed = failure(400, refusal)
    assert (failed.kind, failed.code) == ("candidate", "context_length_exceeded")


@pytest.mark.parametrize(
    ("status", "refusal"),
    [
        (400, Refusal("no such model", code="model_not_found")),
        (429, Refusal("pay", type="insufficient_quota", code="insufficient_quota")),
    ],
)
def test_an_unknown_model_or_spent_quota_will_not_pass(status: int, refusal: Refusal) -> None:
    assert failure(status, refusal).kind == "candidate"


def test_refused_credentials_never_repeat_the_providers_words() -> None:
    failed = failure(401, Refusal("Incorrect API key provided: sk-ab***yz", code="sk-ab***yz"))
    assert (failed.kind, failed.code) == ("candidate", "provider_auth")
    assert "sk-" not in str(failed)


def test_our_key_is_cut_out_of_a_message_before_it_is_shortened() -> None:
    key = "sk-secret"
    failed = failure(400, Refusal("x" * (MAX_MESSAGE - 4) + key, code=key, param=key), secret=key)
    assert "sk-" not in f"{failed.args}"
    assert len(failed.message) <= MAX_MESSAGE


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error":{"message":"a\\n b","type":"t","code":5,"param":null}}', "a b"),
        (b'{"error":"plain"}', "plain"),
        (b'{"object":"error","message":"vllm","code":400}', "vllm"),
        (b'{"detail":"fastapi"}', "fastapi"),
        (b'{"detail":[{"loc":["body"],"msg":"field required"}]}', "field required"),
    ],
)
def test_error_objects_of_every_shape_are_read(body: bytes, message: str) -> None:
    refusal = read_refusal(body)
    assert refusal is not None
    assert message in refusal.message


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"error":null}', b'"\xff"'])
def test_what_holds_no_error_is_none(body: bytes) -> None:
    assert read_refusal(body) is None


def test_without_words_the_status_speaks() -> None:
    assert failure(500, Refusal()).message == "the provider answered HTTP 500"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("2", 2.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("Sun, 06 Nov 1994 08:49:47 GMT", 10.0),
        ("Sun, 06 Nov 1994 08:49:47 -0000", 10.0),
        ("Sun, 06 Nov 1994 08:49:07 GMT", 0.0),
        ("1e300", 86_400.0),
        ("nan", None),
        ("inf", None),
        ("soon", None),
    ],
)
def test_retry_after_is_a_number_or_a_date(value: str | None, seconds: float | None) -> None:
    assert read_retry_after(value, WALL_S) == seconds
