"""The log of requests: who gets a line, and what is in it."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from serve_app.config.log_policy import LogPolicy
from serve_app.core.plan import Candidate, Plan
from serve_app.core.trace import Trace
from serve_app.core.trail import Note, Trail
from serve_app.observe.log import RequestLog
from serve_app.observe.observer import RequestEnd


def lines(*ends: RequestEnd, **policy: Any) -> list[dict[str, Any]]:
    written: list[bytes] = []
    log = RequestLog(LogPolicy(**policy), written.append, random.Random(1))
    log.take(list(ends), [])
    return [json.loads(line) for text in written for line in text.decode().splitlines()]


def end(
    status: int = 200, duration_s: float = 0.1, tenant: str = "acme", **more: Any
) -> RequestEnd:
    trail = Trail("req_1")
    trail.notes += more.pop("notes", [])
    return RequestEnd(trail, "/v1/chat/completions", status, duration_s, tenant=tenant, **more)


PLAN = Plan([Candidate("p", "m", "cheapest", 8000), Candidate("q", "n", "next", 8000)], need=0.125)
NOTES = [
    Note("admission", "admitted", 1.0, {"limits": "counted"}, 1.0),
    Note("router", "cheap", 2.0, {"plan": PLAN}, 0.5),
    Note("attempt", "transient", 3.0, {"backend": "p", "model": "m", "ms": 1.0, "status": 500,
                                       "why": "words of the caller"}, 1.0),
    Note("attempt", "answered", 5.0, {"backend": "q", "model": "n", "ms": 2.0, "status": 200}, 2.0),
]  # fmt: skip


def test_a_line_says_who_asked_what_came_of_it_and_what_it_cost() -> None:
    one = end(
        user="ann", team="a-team", key_id="abc", backend="q", model="n", prompt_tokens=5,
        completion_tokens=7, cost_micro_usd=19, saved_micro_usd=3, streamed=True,
        first_content_s=0.02, notes=NOTES, session="what the caller calls it",
    )  # fmt: skip
    one.trail.span = Trace("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", False)
    one.trail.began_at = 1_800_000_000.5
    [line] = lines(one)
    assert line.pop("attempts") == [
        {"outcome": "transient", "backend": "p", "model": "m", "ms": 1.0, "status": 500},
        {"outcome": "answered", "backend": "q", "model": "n", "ms": 2.0, "status": 200},
    ]
    assert line == {
        "event": "request", "time": "2027-01-15T08:00:00.600000Z", "level": "info",
        "request_id": "req_1", "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "route": "/v1/chat/completions", "status": 200, "ms": 100.0, "tenant": "acme",
        "user": "ann", "team": "a-team", "key_id": "abc", "backend": "q", "model": "n",
        "cache": "none", "stream": True, "tokens": [5, 7], "cost_micro_usd": 19,
        "saved_micro_usd": 3, "first_content_ms": 20.0, "tier": "cheap", "need": 0.13,
        "plan": ["p/m", "q/n"], "stages": {"admission": 1.0, "router": 0.5, "attempt": 3.0},
    }  # fmt: skip


def test_what_providers_complain_of_is_in_no_line() -> None:
    for level in ("info", "debug"):
        [line] = lines(end(502, error="all_backends_failed", notes=NOTES), level=level)
        assert line["attempts"]
        assert "words of the caller" not in json.dumps(line)


def test_debug_has_all_that_the_stages_decided() -> None:
    [line] = lines(end(notes=NOTES, session="s"), level="debug")
    assert (line["level"], line["session"]) == ("debug", "s")
    first, second, *_ = line["notes"]
    assert first == {"stage": "admission", "decision": "admitted", "began_ms": 0.0,
                     "took_ms": 1.0, "facts": {"limits": "counted"}}  # fmt: skip
    assert [one["reason"] for one in second["facts"]["plan"]["candidates"]] == ["cheapest", "next"]


@pytest.mark.parametrize("level", ["info", "error"])
def test_failed_ones_have_a_line_whatever_the_sample(level: str) -> None:
    failed = [end(500), end(200, error="stream_interrupted"), end(429, error="rate_limit_exceeded")]
    found = lines(*failed, end(), level=level, sample=0.0)
    assert [(line["status"], line["level"]) for line in found] == [
        (500, "error"), (200, "error"), (429, "error"),
    ]  # fmt: skip


def test_slow_ones_have_a_line_whatever_the_sample() -> None:
    found = lines(end(duration_s=2.0), end(duration_s=1.9), sample=0.0, slow_s=2.0)
    assert [line["ms"] for line in found] == [2000.0]
    assert not lines(end(duration_s=9.0), level="error")


def test_of_the_good_ones_a_share_has_a_line() -> None:
    found = lines(*(end() for _ in range(2000)), sample=0.25)
    assert 400 < len(found) < 600


def test_a_tenant_may_have_a_level_of_its_own() -> None:
    three = [end(tenant="acme"), end(tenant="zeta"), end(tenant="other")]
    found = lines(*three, level="info", tenants={"acme": "debug", "zeta": "error"})
    assert [(line["tenant"], line["level"]) for line in found] == [
        ("acme", "debug"), ("other", "info"),
    ]  # fmt: skip


def test_another_policy_holds_from_the_next_line_on() -> None:
    written: list[bytes] = []
    log = RequestLog(LogPolicy(level="error"), written.append)
    log.take([end()], [])
    assert not written
    log.reconfigure(LogPolicy())
    log.take([end()], [])
    assert len(written) == 1
