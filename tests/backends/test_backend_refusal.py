from __future__ import annotations

import pytest
from provider.refusal_words import TOO_LONG, UNWANTED

from serve_app.backends.refusal import (
    AUTH,
    CONTENT,
    CONTEXT,
    MAX_MESSAGE,
    QUOTA,
    Refusal,
    failure,
    failure_inside,
    read_refusal,
)
from serve_app.backends.retry_after import asked_pause_s, read_retry_after

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


@pytest.mark.parametrize("name", TOO_LONG)
def test_every_provider_that_says_too_long_is_understood(name: str) -> None:
    status, body = TOO_LONG[name]
    failed = failure(status, read_refusal(body))
    assert (failed.kind, failed.code) == ("candidate", CONTEXT)


@pytest.mark.parametrize("name", UNWANTED)
def test_every_provider_that_refuses_content_is_understood_and_quoted(name: str) -> None:
    status, body = UNWANTED[name]
    refusal = read_refusal(body)
    assert refusal is not None
    failed = failure(status, refusal)
    assert (failed.kind, failed.code) == ("content", CONTENT)
    assert failed.message == refusal.message
    assert failed.message


@pytest.mark.parametrize(
    "body",
    [
        b'{"error":{"message":"Output blocked by content filtering policy","type":"bad_request"}}',
        b'{"error":{"code":"data_inspection_failed","message":"Output data may contain ..."}}',
        b'{"error":{"message":"PROHIBITED_CONTENT","status":"INVALID_ARGUMENT"}}',
    ],
)
def test_content_refused_inside_a_200_is_the_same(body: bytes) -> None:
    refusal = read_refusal(body)
    assert refusal is not None
    assert failure_inside(refusal).kind == "content"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_words_of_a_busy_provider_mean_nothing(status: int) -> None:
    refusal = Refusal("the model's context window is swapped out, see our usage policy")
    assert failure(status, refusal).kind == "transient"


@pytest.mark.parametrize(
    ("status", "refusal"),
    [
        (402, Refusal("Insufficient Balance", type="unknown_error")),
        (429, Refusal("no", type="exceeded_current_quota_error")),
        (429, Refusal("余额不足", code="1113")),
        (400, Refusal("Access denied", code="Arrearage")),
        (400, Refusal("Your credit balance is too low to access the Anthropic API.")),
        (403, Refusal("Sorry, your account balance is insufficient", code="30001")),
    ],
)
def test_an_account_without_money_is_understood(status: int, refusal: Refusal) -> None:
    failed = failure(status, refusal)
    assert (failed.kind, failed.code) == ("candidate", QUOTA)


@pytest.mark.parametrize(
    ("status", "refusal"),
    [
        (404, Refusal("The model `m` does not exist.", type="NotFoundError", code="404")),
        (404, Refusal("model: m", type="not_found_error")),
        (404, Refusal("The API deployment ... does not exist", code="DeploymentNotFound")),
        (404, Refusal("models/m is not found for API version v1", type="NOT_FOUND")),
        (404, Refusal("No endpoints found for m.", code="404")),
        (404, Refusal("Resource not found", code="404")),
        (404, Refusal("Not Found")),
        (404, Refusal("Invalid URL (POST /chat/completions)", type="invalid_request_error")),
        (403, Refusal("Project has no access to model `m`", code="model_not_found")),
        (404, None),
    ],
)
def test_a_model_or_address_that_is_not_there_is_for_the_next_candidate(
    status: int, refusal: Refusal | None
) -> None:
    failed = failure(status, refusal)
    assert (failed.kind, failed.status) == ("candidate", status)
    assert failed.code != AUTH


def test_another_thing_that_is_not_there_is_the_callers() -> None:
    refusal = Refusal("No such file object: file-1", type="invalid_request_error", param="id")
    assert failure(404, refusal).kind == "caller"


@pytest.mark.parametrize(
    ("status", "refusal"),
    [
        (401, None),
        (401, Refusal("no")),
        (403, Refusal("Forbidden")),
        (400, Refusal("API key not valid. Please pass a valid API key.", "INVALID_ARGUMENT")),
        (400, Refusal("no", reason="API_KEY_INVALID")),
    ],
)
def test_a_refused_key_is_understood(status: int, refusal: Refusal | None) -> None:
    failed = failure(status, refusal)
    assert (failed.kind, failed.code) == ("candidate", AUTH)


def test_a_403_without_words_may_be_a_proxys_and_says_nothing_about_the_key() -> None:
    failed = failure(403, None)
    assert (failed.kind, failed.code) == ("candidate", "")


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        (b'{"retryDelay":"17s"}', 17.0),
        (b'{"retryDelay":"0.25s"}', 0.25),
        (b'{"retryDelay":"soon"}', None),
        (b'{"retryDelay":7}', 7.0),
        (b'{"reason":"RATE"}', None),
        (b'"retryDelay"', None),
    ],
)
def test_gemini_says_in_its_body_how_long_to_wait(body: bytes, seconds: float | None) -> None:
    error = (
        b'[{"error":{"code":429,"message":"slow","status":"RESOURCE_EXHAUSTED","details":[%b]}}]'
    )
    failed = failure(429, read_refusal(error % body))
    assert (failed.kind, failed.retry_after_s) == ("transient", seconds)
    assert failure(429, read_refusal(error % body), retry_after_s=1.0).retry_after_s == 1.0


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
        (b'{"message":"Unauthorized","request_id":"1"}', "Unauthorized"),
        (b'[{"error":{"code":400,"message":"gemini"}}]', "gemini"),
        (b'{"type":"error","error":{"type":"overloaded_error","message":"claude"}}', "claude"),
        (b'{"detail":[{"loc":["body"],"msg":"field required"}]}', "field required"),
    ],
)
def test_error_objects_of_every_shape_are_read(body: bytes, message: str) -> None:
    refusal = read_refusal(body)
    assert refusal is not None
    assert message in refusal.message


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"{}", b'{"error":null}', b'"\xff"', b"[" * 5000,
     b'{"choices":[],"message":"x"}', b'{"message":{"role":"assistant"}}'],
)  # fmt: skip
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


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "2", "retry-after-ms": "1500"}, 1.5),
        ({"retry-after": "2", "retry-after-ms": "soon"}, 2.0),
    ],
)
def test_milliseconds_are_the_more_exact_word(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert asked_pause_s(headers, WALL_S) == seconds
