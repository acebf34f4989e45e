"""What rate-limit headers of all kinds leave, and who remembers it for how long."""

from __future__ import annotations

import pytest
from backend_calls import MakeHosted, fail, run
from multidict import CIMultiDict

from serve_app.backends.headroom import MAX_RESET_S, read_headroom
from serve_app.backends.key import Key
from serve_app.backends.limits import Limits
from serve_app.backends.secret import Secret
from serve_app.core.clock import FakeClock
from serve_app.core.vital import Headroom

WALL_S = 1_767_225_600.0  # 2026-01-01T00:00:00Z


def read(**headers: str) -> Headroom | None:
    named = {name.replace("_", "-").title(): value for name, value in headers.items()}
    return read_headroom(CIMultiDict(named), WALL_S)


def openai(requests: str, tokens: str, requests_reset: str, tokens_reset: str) -> Headroom | None:
    return read(
        x_ratelimit_limit_requests="100",
        x_ratelimit_remaining_requests=requests,
        x_ratelimit_reset_requests=requests_reset,
        x_ratelimit_limit_tokens="100000",
        x_ratelimit_remaining_tokens=tokens,
        x_ratelimit_reset_tokens=tokens_reset,
    )


# --------------------------------------------------------------- reading


def test_the_time_is_that_of_the_scarcer_limit() -> None:
    assert openai("2", "99000", "6m0s", "250ms") == Headroom(2, 99000, 360.0)
    assert openai("99", "500", "6m0s", "250ms") == Headroom(99, 500, 0.25)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("6m0s", 360.0),
        ("1h2m3s", 3723.0),
        ("2m59.56s", 179.56),
        ("20ms", 0.02),
        ("1s", 1.0),
        ("12", 12.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        (str(int(WALL_S) + 30), 30.0),
        (str(int(WALL_S * 1000) + 30_000), 30.0),
        ("2026-01-01T00:01:00Z", 60.0),
        ("2026-01-01T01:01:00+01:00", 60.0),
        ("2025-12-31T00:00:00Z", 0.0),
        ("9999999d", MAX_RESET_S),
        ("1e300", MAX_RESET_S),
        ("", 0.0),
        ("soon", 0.0),
        ("6m 0s", 0.0),
        ("nan", 0.0),
        ("inf", 0.0),
        ("1s" * 200, 0.0),
    ],
)
def test_resets_come_in_many_forms(value: str, seconds: float) -> None:
    found = openai("2", "99000", value, "")
    assert found is not None
    assert found.resets_in_s == pytest.approx(seconds)


def test_anthropic_says_input_and_output_tokens() -> None:
    found = read(
        anthropic_ratelimit_requests_limit="50",
        anthropic_ratelimit_requests_remaining="49",
        anthropic_ratelimit_requests_reset="2026-01-01T00:00:01Z",
        anthropic_ratelimit_input_tokens_limit="30000",
        anthropic_ratelimit_input_tokens_remaining="29000",
        anthropic_ratelimit_input_tokens_reset="2026-01-01T00:00:02Z",
        anthropic_ratelimit_output_tokens_limit="8000",
        anthropic_ratelimit_output_tokens_remaining="100",
        anthropic_ratelimit_output_tokens_reset="2026-01-01T00:00:30Z",
    )
    assert found == Headroom(49, 100, 30.0)


@pytest.mark.parametrize(
    "headers",
    [
        {"ratelimit_remaining": "50", "ratelimit_reset": "30"},
        {"x_ratelimit_remaining": "50", "x_ratelimit_reset": "30"},
        {"ratelimit": "limit=100, remaining=50, reset=30"},
        {"ratelimit": '"default";r=50;t=30'},
    ],
)
def test_the_drafts_say_requests_only(headers: dict[str, str]) -> None:
    assert read(**headers) == Headroom(50, None, 30.0)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content_type": "application/json"},
        {"x_ratelimit_remaining_requests": "many"},
        {"x_ratelimit_remaining_requests": "-1"},
        {"x_ratelimit_remaining_tokens": "9" * 400},
        {"x_ratelimit_remaining_tokens": "٣"},
        {"anthropic_ratelimit_requests_remaining": "1.5"},
        {"ratelimit": "limit=100"},
        {"ratelimit": "remaining=" + "9" * 400},
        {"ratelimit": "remaining=lots"},
        {"ratelimit_remaining": ""},
    ],
)
def test_what_cannot_be_read_is_nothing(headers: dict[str, str]) -> None:
    assert read(**headers) is None


def test_half_of_it_is_something() -> None:
    found = read(x_ratelimit_remaining_requests="x", x_ratelimit_remaining_tokens="7")
    assert found == Headroom(None, 7, 0.0)


# --------------------------------------------------------------- remembering


def headers(requests: int) -> CIMultiDict[str]:
    return CIMultiDict(
        {
            "x-ratelimit-remaining-requests": str(requests),
            "x-ratelimit-reset-requests": "30s",
        }
    )


def test_what_was_told_grows_old() -> None:
    clock = FakeClock()
    limits = Limits(clock)
    limits.note(None, "m", headers(2))
    assert limits.of("m", [None]) == Headroom(2, None, 30.0)
    clock.advance(20.0)
    assert limits.of("m", [None]) == Headroom(2, None, 10.0)
    clock.advance(10.0)
    assert limits.of("m", [None]) is None


def test_a_model_says_nothing_about_another() -> None:
    limits = Limits(FakeClock())
    limits.note(None, "m", headers(2))
    assert limits.of("other", [None]) is None


def test_an_answer_without_headers_leaves_what_is_known() -> None:
    limits = Limits(FakeClock())
    limits.note(None, "m", headers(2))
    limits.note(None, "m", CIMultiDict())
    assert limits.of("m", [None]) is not None


def test_of_several_keys_the_best_counts() -> None:
    clock = FakeClock()
    limits = Limits(clock)
    one, two = Key(Secret("1"), "ONE"), Key(Secret("2"), "TWO")
    limits.note(one, "m", headers(2))
    assert limits.of("m", [one]) == Headroom(2, None, 30.0)
    assert limits.of("m", [one, two]) is None  # as far as known, the other one has all
    limits.note(two, "m", headers(5))
    assert limits.of("m", [one, two]) == Headroom(5, None, 30.0)


def test_a_key_that_is_limited_has_nothing_left() -> None:
    clock = FakeClock()
    limits, key = Limits(clock), Key(Secret("1"), "ONE")
    limits.note(key, "m", headers(5))
    key.close("m", clock.monotonic() + 7.0)
    assert limits.of("m", [key]) == Headroom(0, None, 7.0)


# --------------------------------------------------------------- over HTTP


@pytest.mark.parametrize("stream", [False, True])
async def test_headers_of_an_answer_are_taken(make_hosted: MakeHosted, stream: bool) -> None:
    backend = make_hosted()
    assert backend.headroom("tight") is None
    await run(backend, "tight", stream=stream)
    found = backend.headroom("tight")
    assert found is not None
    assert (found.requests_left, found.tokens_left) == (2, 500)
    assert 25.0 < found.resets_in_s <= 30.0
    assert backend.headroom("ok") is None


async def test_headers_of_a_refusal_are_taken_too(make_hosted: MakeHosted) -> None:
    backend = make_hosted(keys=())
    await fail(backend, "tight+status-503")
    found = backend.headroom("tight+status-503")
    assert found is not None
    assert found.requests_left == 2


async def test_a_limited_key_shows_as_no_headroom(make_hosted: MakeHosted) -> None:
    backend = make_hosted()
    await fail(backend, "status-429-retry-after-60")
    found = backend.headroom("status-429-retry-after-60")
    assert found is not None
    assert found.requests_left == 0
    assert 55.0 < found.resets_in_s <= 60.0
