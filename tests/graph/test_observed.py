"""Both placements as their operator sees them: metrics, costs, trails, traces, the console."""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from collections.abc import Callable
from typing import Any
from urllib.request import Request, urlopen

import psycopg
import pytest
from instances import Instance
from provider.fixtures import ScriptedProvider
from tracing.collector import Collector

pytestmark = [pytest.mark.graph, pytest.mark.timeout(700)]

LIMIT_S = 90.0
STILL_S = 5.0
MODEL = "gpt-5"


def ask(gateway: Instance, text: str, trace: str = "") -> str:
    """The id of a request that was answered."""
    body = {"model": MODEL, "messages": [{"role": "user", "content": text}]}
    headers = {"content-type": "application/json"}
    if trace:
        headers["traceparent"] = f"00-{trace}-{secrets.token_hex(8)}-01"
    url = f"{gateway.url}/v1/chat/completions"
    with urlopen(Request(url, json.dumps(body).encode(), headers), timeout=60) as answer:
        assert answer.status == 200
        return str(answer.headers["x-request-id"])


def until(what: Callable[[], Any]) -> Any:
    end = time.monotonic() + LIMIT_S
    while not (found := what()):
        assert time.monotonic() < end
        time.sleep(0.1)
    return found


def spent(gateway: Instance) -> int:
    """Micro-USD of all, as the metrics say."""
    with urlopen(f"{gateway.url}/metrics", timeout=20) as answer:
        lines = answer.read().decode().splitlines()
    return sum(int(float(line.rpartition(" ")[2])) for line in lines
               if line.startswith("serve_app_cost_micro_usd_total{"))  # fmt: skip


def charged(gateway: Instance) -> int:
    """The same, as the records say."""
    return sum(row["cost_micro_usd"] for row in gateway.get("/v1/costs?group_by=model")["data"])


def settled(gateway: Instance) -> tuple[int, int]:
    """Spent and charged, once neither has moved for longer than it takes to tell them."""
    seen, since = (-1, -1), time.monotonic()

    def is_still() -> bool:
        nonlocal seen, since
        now = spent(gateway), charged(gateway)
        if now != seen:
            seen, since = now, time.monotonic()
        return time.monotonic() > since + STILL_S

    until(is_still)
    return seen


def test_metrics_and_records_say_the_same_of_the_bill(
    gateway: Instance, provider: ScriptedProvider
) -> None:
    """Of these requests: other tests kill replicas, and with them the last second of either; and
    a task that was done twice is spent twice, billed once."""
    spent_before, charged_before = settled(gateway)
    for n in range(20):
        ask(gateway, f"what do {n} apples cost {secrets.token_hex(4)}")
    spent_after, charged_after = settled(gateway)
    assert spent_after - spent_before == charged_after - charged_before > 0


def test_a_trail_explains_a_request(gateway: Instance, provider: ScriptedProvider) -> None:
    asked = ask(gateway, f"explain {secrets.token_hex(4)}")
    trail = gateway.get(f"/v1/trails/{asked}?wait_s=10")
    stages = [note["stage"] for note in trail["notes"]]
    assert {"admission", "input_filter", "cache", "router", "attempt", "answer"} <= set(stages)
    explained = gateway.run("explain", asked)
    assert explained.returncode == 0, explained.stderr
    assert MODEL in explained.stdout


def test_personal_keeps_records_in_a_file(personal: Instance, provider: ScriptedProvider) -> None:
    asked = ask(personal, f"a file {secrets.token_hex(4)}")
    file = personal.folder / "data" / "records" / "records.db"

    def rows() -> list[Any]:
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as database:
            found = database.execute("SELECT model FROM charges WHERE request_id = ?", (asked,))
            return found.fetchall()

    assert until(rows) == [(MODEL,)]


def test_enterprise_keeps_them_in_postgresql(
    enterprise: Instance, provider: ScriptedProvider
) -> None:
    asked = ask(enterprise, f"a database {secrets.token_hex(4)}")
    url = enterprise.environ["SERVE_APP_RECORDS_URL"].replace("postgresql+psycopg", "postgresql")

    def rows() -> list[Any]:
        with psycopg.connect(url) as database:
            found = database.execute("SELECT model FROM charges WHERE request_id = %s", (asked,))
            return found.fetchall()

    assert until(rows) == [(MODEL,)]


def test_the_collector_gets_the_callers_trace(
    enterprise: Instance, provider: ScriptedProvider, collector: Collector
) -> None:
    trace = secrets.token_hex(16)
    ask(enterprise, f"a trace {secrets.token_hex(4)}", trace)
    spans = [s for s in collector.until(
        lambda found: [s for s in found if s.trace == trace and s.kind == "server"]
    ) if s.trace == trace]  # fmt: skip
    [root] = [span for span in spans if span.kind == "server"]
    calls = [span for span in spans if span.kind == "client"]
    assert [call.facts["gen_ai.request.model"] for call in calls] == [MODEL]
    assert {span.parent for span in spans if span is not root} == {root.id}


def test_the_console_and_the_alerts_are_there(gateway: Instance) -> None:
    with urlopen(f"{gateway.url}/console/", timeout=20) as page:
        assert page.status == 200
        assert "default-src 'none'" in page.headers["content-security-policy"]
    rules = gateway.get("/v1/alerts")
    assert len(rules["rules"]) >= 17
    listed = gateway.run("alerts", "rules", "--json")
    assert listed.returncode == 0, listed.stderr
    assert {rule["name"] for rule in json.loads(listed.stdout)} >= {"ErrorRateHigh", "RedisGone"}
