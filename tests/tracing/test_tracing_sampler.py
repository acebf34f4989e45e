"""Which requests are traced."""

from __future__ import annotations

from typing import Any

import pytest

from serve_app.config.tracing_policy import TracingPolicy
from serve_app.core.trace import Trace
from serve_app.core.trail import Trail
from serve_app.observe.observer import RequestEnd
from serve_app.tracing.sampler import Sampler

CALLER = Trace("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", True, "a=b")


def sampler(**policy: Any) -> Sampler:
    return Sampler(TracingPolicy(**policy))


def begun(by: Sampler, caller: Trace | None = None) -> Trace:
    trail = Trail("r", caller)
    by.begin(trail)
    assert trail.span is not None
    return trail.span


def end(place: Trace, status: int = 200, duration_s: float = 0.1, error: str = "") -> RequestEnd:
    trail = Trail("r")
    trail.span = place
    return RequestEnd(trail, "/x", status, duration_s, error=error)


def test_a_share_of_the_requests_is_sampled() -> None:
    half = sampler(sample=0.5)
    places = [begun(half) for _ in range(4000)]
    assert 1700 < sum(place.is_sampled for place in places) < 2300
    assert len({place.trace_id for place in places}) == 4000
    assert not any(begun(sampler(sample=0.0)).is_sampled for _ in range(100))
    assert all(begun(sampler(sample=1.0)).is_sampled for _ in range(100))


def test_the_caller_decides_and_its_trace_goes_on() -> None:
    place = begun(sampler(sample=0.0), CALLER)
    assert (place.trace_id, place.is_sampled, place.state) == (CALLER.trace_id, True, "a=b")
    assert place.span_id != CALLER.span_id
    assert not begun(sampler(sample=1.0), CALLER._replace(is_sampled=False)).is_sampled


def test_of_callers_that_are_not_followed_every_process_samples_the_same() -> None:
    first, second = (sampler(sample=0.5, follow_callers=False) for _ in range(2))
    callers = [CALLER._replace(trace_id=begun(first).trace_id) for _ in range(200)]
    drawn = [begun(first, caller).is_sampled for caller in callers]
    assert drawn == [begun(second, caller).is_sampled for caller in callers]
    assert 0 < sum(drawn) < 200


@pytest.mark.parametrize(
    ("status", "duration_s", "error", "wanted"),
    [
        (200, 0.1, "", False),
        (500, 0.1, "internal_error", True),
        (502, 0.1, "", True),
        (200, 0.1, "stream_interrupted", True),  # a stream had begun when it failed
        (200, 5.0, "", True),
        (401, 0.1, "invalid_api_key", False),  # the caller's fault: anybody could fill the disk
        (429, 0.1, "rate_limit_exceeded", False),
        (499, 0.1, "", False),
    ],
)
def test_what_failed_and_what_was_slow_is_told_of_in_any_case(
    status: int, duration_s: float, error: str, wanted: bool
) -> None:
    nobody = sampler(sample=0.0)
    assert nobody.wants(end(begun(nobody), status, duration_s, error)) is wanted
    everybody = sampler(sample=1.0)
    assert everybody.wants(end(begun(everybody), status, duration_s, error))


def test_another_policy_holds_from_the_next_request_on() -> None:
    changing = sampler(sample=0.0)
    assert not begun(changing).is_sampled
    changing.reconfigure(TracingPolicy(sample=1.0, slow_s=0.05))
    assert begun(changing).is_sampled
    assert changing.wants(end(CALLER._replace(is_sampled=False), duration_s=0.06))
