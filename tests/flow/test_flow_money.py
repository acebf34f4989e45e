"""The ledger, the records and the metrics tell the same amounts, to the micro-dollar."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import Counter
from pathlib import Path
from typing import Any

from doors import post
from houses import Flow, Open, policy
from provider.fixtures import ScriptedProvider
from test_flow import until

CHAT = "/v1/chat/completions"
PRICES = {
    "ok": {"input": 1_234_567, "output": 2_345_679, "batch_percent": 50},
    "second": {"input": 3_456_789, "output": 5_678_901},
}
ROUTES = {"both": {"models": ["p/ok", "p/second"]}}
KINDS: list[dict[str, Any]] = [
    {"model": "ok"},
    {"model": "ok", "stream": True},
    {"model": "second", "stream": True, "stream_options": {"include_usage": True}},
    {"model": "both"},
    {"model": "both", "stream": True},
    {"model": "ok", "priority": "batch"},
    {"model": "nobody"},
]
TURNS = 35


async def ask(flow: Flow, number: int) -> None:
    fields = dict(KINDS[number % len(KINDS)])
    headers = {"authorization": f"Bearer key-{number % 2}"}
    if "priority" in fields:
        headers["x-serve-app-priority"] = fields.pop("priority")
    words = " ".join(["word"] * (1 + number % 5))
    text = f"{words} {number if number % 3 else 'again'}"  # every third is asked before
    messages = [{"role": "user", "content": text}]
    await post(flow, CHAT, headers, messages=messages, **fields)


async def costs(flow: Flow, *, by: str, key: str = "boss") -> Any:
    headers = {"authorization": f"Bearer {key}"}
    async with flow.http.get("/v1/costs", params={"group_by": by}, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def metric(flow: Flow, name: str) -> Counter[str]:
    """A counter by model."""
    async with flow.http.get("/metrics") as answer:
        text = await answer.text()
    found: Counter[str] = Counter()
    for labels, value in re.findall(rf"^{name}\{{(.*?)\}} (\S+)$", text, re.MULTILINE):
        found[re.findall(r'model="(.*?)"', labels)[0]] += int(float(value))
    return found


def keyed() -> Any:
    def digest(key: str) -> str:
        return hashlib.sha256(key.encode()).hexdigest()

    keys = [{"sha256": digest(f"key-{n}"), "tenant": f"t{n}", "team": "a"} for n in range(2)]
    admission = {"keys": keys, "admin_keys": [digest("boss")], "user_rpm": 0, "key_rpm": 0}
    return policy(admission=admission, routing={"routes": ROUTES}, prices=PRICES)


async def test_three_books_agree_to_the_micro_dollar(
    open_flow: Open, provider: ScriptedProvider, tmp_path: Path
) -> None:
    turns = ["ok", "ok", "cut-after-3", "status-503", "ok", "no-usage", "status-400"]
    provider.script("ok", *(turns * 40))
    url = f"sqlite:///{tmp_path}/records.db"
    async with open_flow(rules=keyed(), records_url=url) as flow:
        for turn in range(TURNS):
            first = turn * len(KINDS)
            await asyncio.gather(*(ask(flow, first + n) for n in range(len(KINDS))))
        ledger = flow.house.ledger

        async def booked() -> Any:
            return not ledger.waiting

        await until(booked)
        tenants = [await ledger.totals(f"t{n}") for n in range(2)]
        wanted = sum(totals.total.requests for totals in tenants)
        assert wanted >= 200

        async def recorded() -> Any:
            report = await costs(flow, by="model")
            return report if report["total"]["requests"] == wanted else None

        report = await until(recorded)
        by_tenant = await costs(flow, by="tenant")
        own = await costs(flow, by="tenant,key", key="key-0")
        spent = await metric(flow, "serve_app_cost_micro_usd_total")
        saved = await metric(flow, "serve_app_saved_micro_usd_total")

    for kind, told in (("cost_micro_usd", spent), ("saved_micro_usd", saved)):
        books: Counter[str] = Counter()
        for totals in tenants:
            for model, sums in totals.models.items():
                books[model] += getattr(sums, kind)
        records = Counter({row["model"]: row[kind] for row in report["data"]})
        assert +records == +books
        assert +told == +books
        assert books.total() > 0
    total = report["total"]
    for name in ("failed", "cached", "prompt_tokens", "completion_tokens"):
        assert total[name] == sum(getattr(totals.total, name) for totals in tenants)
        assert total[name] > 0
    shares = {row["tenant"]: row["cost_micro_usd"] for row in by_tenant["data"]}
    assert shares == {f"t{n}": tenants[n].total.cost_micro_usd for n in range(2)}
    assert own["total"]["cost_micro_usd"] == shares["t0"]
    assert [row["tenant"] for row in own["data"]] == ["t0"]


async def test_a_tenants_costs_are_not_another_ones_business(
    open_flow: Open, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/records.db"
    async with open_flow(rules=keyed(), records_url=url) as flow:
        headers = {"authorization": "Bearer key-0"}
        async with flow.http.get("/v1/costs?tenant=t1", headers=headers) as answer:
            assert (answer.status, (await answer.json())["error"]["code"]) == (
                403,
                "admin_required",
            )


async def test_without_records_there_is_no_report(flow: Flow) -> None:
    async with flow.http.get("/v1/costs") as answer:
        assert answer.status == 503
        assert (await answer.json())["error"]["code"] == "records_unavailable"


async def test_what_was_asked_is_kept_redacted_if_the_policy_says_so(
    open_flow: Open, tmp_path: Path
) -> None:
    import sqlite3

    rules = policy(
        records={"content": True},
        filter={"rules": [{"name": "mail", "kind": "pii", "action": "redact", "where": ["input"]}]},
    )
    file = tmp_path / "records.db"
    async with open_flow(rules=rules, records_url=f"sqlite:///{file}") as flow:
        status, _, _ = await flow.chat("write to ann@example.com please")
        assert status == 200
    with sqlite3.connect(file) as found:
        [(content,)] = found.execute("SELECT content FROM requests").fetchall()
    found.close()
    assert "write to" in content
    assert "ann@example.com" not in content
