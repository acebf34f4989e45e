"""Spans on their way: batches, a collector that is away, one that comes back."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable

from tracing.collector import running_collector

from serve_app.config.tracing_policy import TracingPolicy
from serve_app.core.trail import Trail
from serve_app.observe.observer import RequestEnd
from serve_app.tracing.courier import Courier
from serve_app.tracing.sampler import Sampler
from serve_app.tracing.sketcher import Sketcher
from serve_app.tracing.tracing import Tracing

NOWHERE = "http://127.0.0.1:9/v1/traces"
RESOURCE = {"service.name": "serve-app", "service.instance.id": "r1"}
LIMIT_S = 20.0


def tracing(endpoint: str, *, enabled: bool = True) -> Tracing:
    policy = TracingPolicy(sample=1.0, enabled=enabled)
    return Tracing(policy, endpoint, RESOURCE, "1", {})


def ended(by: Tracing, count: int, first: int = 0) -> None:
    ends = []
    for number in range(first, first + count):
        trail = Trail(f"req_{number}")
        by.begin(trail)
        ends.append(RequestEnd(trail, "/v1/chat/completions", 200, 0.01))
    by.take(ends, [])


async def until(true: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + LIMIT_S
    while not true():
        assert time.monotonic() < give_up_at
        await asyncio.sleep(0.01)


async def test_all_that_waits_is_sent_before_the_end() -> None:
    with running_collector() as collector:
        sending = tracing(collector.endpoint)
        sending.start()
        ended(sending, 500)
        await sending.close()
        found = await asyncio.to_thread(collector.until, lambda spans: len(spans) >= 500)
    assert sorted(span.facts["serve_app.request_id"] for span in found) == sorted(
        f"req_{number}" for number in range(500)
    )
    assert sending.lost == 0


async def test_a_collector_that_is_away_costs_nothing_but_its_spans() -> None:
    courier = Courier(NOWHERE, RESOURCE, "1", Sketcher({}), timeout_s=0.2)
    courier.start()
    for number in range(3):
        trail = Trail(f"req_{number}")
        Sampler(TracingPolicy()).begin(trail)
        courier.put(RequestEnd(trail, "/x", 200, 0.1))
    await until(lambda: courier.lost == 3)
    await asyncio.to_thread(courier.close, 5.0)


async def test_what_does_not_fit_is_left_out_and_counted() -> None:
    courier = Courier(NOWHERE, RESOURCE, "1", Sketcher({}), waiting=5)
    for _ in range(8):
        courier.put(RequestEnd(Trail("r"), "/x", 200, 0.1))
    assert courier.lost == 3


async def test_switched_off_nothing_is_begun_and_nothing_sent() -> None:
    off = tracing(NOWHERE, enabled=False)
    ended(off, 3)
    trail = Trail("r")
    off.begin(trail)
    assert trail.span is None
    off.reconfigure(TracingPolicy(sample=1.0))
    off.begin(trail)
    assert trail.span is not None
    await off.close()


def test_the_exporter_is_not_imported_by_those_who_do_not_trace() -> None:
    """OpenTelemetry's SDK may be: redis imports that, where it is installed."""
    imported = "{'opentelemetry.exporter', 'serve_app.tracing.otlp'} & {*sys.modules}"
    check = f"import sys, serve_app.compose; assert not {imported}"
    subprocess.run([sys.executable, "-c", check], check=True, timeout=60)
