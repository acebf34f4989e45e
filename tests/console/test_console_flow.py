"""The console's other routes over a whole gateway: live figures, what there is, batches, cache."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest
from console.console_world import KEYS, Desk, Open, until
from flow.houses import policy
from provider.fixtures import ScriptedProvider

from serve_app.config.policy import Policy
from serve_app.ingress import console_live

CHAT = {"model": "ok", "messages": [{"role": "user", "content": "hello"}]}


async def test_the_live_view_shows_the_requests_that_were_made(desk: Desk) -> None:
    """From the first snapshot on; an event tells of the next one."""
    await desk.login()

    async def begun() -> bool:
        return bool((await desk.get("/console/api/live"))[1]["redis_up"])

    await until(begun)
    for n in range(3):
        body = {**CHAT, "messages": [{"role": "user", "content": f"hello {n}"}]}
        assert (await desk.send("POST", "/v1/chat/completions", body))[0] == 200
    async with desk.http.get("/console/api/live/events?window=15m") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["content-security-policy"]
        views = _views(answer)
        first = await anext(views)
        view = first
        while view["totals"]["requests"] < 3:
            view = await anext(views)
    assert view["window"] == "15m"
    assert view["at"] > first["at"]
    assert view["totals"]["requests"] == 3
    assert view["totals"]["errors"] == 0
    assert 0 < view["totals"]["latency_s"]["p95"] <= 5
    assert view["totals"]["cost_micro_usd"] > 0
    row = next(row for row in view["backends"] if row["model"] == "ok")
    assert (row["backend"], row["state"], row["attempts"]) == ("p", "ok", 3)
    assert sum(view["series"]["requests_per_s"]) > 0
    assert {"deployment": "Gateway", "up": 1}.items() <= view["replicas"][0].items()
    assert view["complete"] is True
    assert len((await desk.get("/console/api/live?window=60m"))[1]["backends"]) == 4


async def _views(answer: aiohttp.ClientResponse) -> Any:
    async for line in answer.content:
        if line.startswith(b"data: "):
            yield json.loads(line[6:])


async def test_a_window_is_one_of_three(desk: Desk) -> None:
    await desk.login()
    status, told = await desk.get("/console/api/live?window=1d")
    assert (status, told["error"]["param"]) == (400, "window")


async def test_only_so_many_listen(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console_live, "MOST_LISTENERS", 1)
    await desk.login()
    events = "/console/api/live/events"
    async with desk.http.get(events) as first:
        await first.content.readline()
        assert await desk.code("GET", events) == "too_many_listeners"

    async def free() -> bool:
        async with desk.http.get(events) as answer:
            return bool(answer.status == 200)

    await until(free)  # once the first has left


async def test_a_backend_that_breaks_turns_red(
    open_console: Open, provider: ScriptedProvider
) -> None:
    backends: list[dict[str, Any]] = [
        {"name": name, "base_url": provider.base_url, "models": [{"id": name, "context": 8000}]}
        for name in ("ok", "broken", "refused")
    ]
    backends[2]["api_key_env"] = ["THEIR_KEY"]
    rules = Policy.model_validate({"admission": {"require_key": False}})
    environ = {**KEYS, "THEIR_KEY": "expired"}
    async with open_console(environ=environ, rules=rules, args={"backends": backends}) as desk:
        await desk.login()
        assert set(_states(await desk.get("/console/api/backends")).values()) == {"ok"}
        provider.script("broken", "status-503")
        provider.script("refused", "status-401")
        for n in range(3):
            for model in ("ok", "broken", "refused"):
                body = {"model": model, "messages": [{"role": "user", "content": f"hi {n}"}]}
                await desk.send("POST", "/v1/chat/completions", body)
        told = await desk.get("/console/api/backends")
    assert _states(told) == {"ok": "ok", "broken": "open", "refused": "key_refused"}
    _, broken, refused = told[1]["data"]
    assert broken["open_for_s"] > 0
    assert broken["error_rate"] > 0
    assert "expired" not in refused["why"]
    assert refused["why"]


def _states(told: tuple[int, Any]) -> dict[str, str]:
    return {row["backend"]: row["state"] for row in told[1]["data"]}


async def test_the_overview_says_what_there_is(desk: Desk) -> None:
    await desk.login()
    _, told = await desk.get("/console/api/overview")
    assert told["profile"] == "flow"
    assert told["redis"]["ok"] is True
    assert {"id": "ok", "owner": "p"} in told["models"]
    [backend] = told["backends"]
    price = next(m["price"] for m in backend["models"] if m["id"] == "ok")
    assert (price["input"], price["output"]) == (1_000_000, 2_000_000)
    assert told["features"]["cache"] is True
    assert {"/v1/keys", "/console"} <= set(told["routes"])
    assert {"default", "console"} <= set(told["tenants"])


async def test_tenants_are_those_with_keys(desk: Desk) -> None:
    await desk.login()
    await desk.send("POST", "/v1/keys", {"tenant": "acme"})
    assert "acme" in (await desk.get("/console/api/overview"))[1]["tenants"]


async def test_questions_of_the_cache_are_found_by_their_words(open_console: Open) -> None:
    async with open_console(rules=policy(cache={"semantic": {"enabled": True}})) as desk:
        await _find_and_purge(desk)


async def _find_and_purge(desk: Desk) -> None:
    for text in ("How do refunds work?", "How do returns work?", "REFUND now"):
        body = {**CHAT, "messages": [{"role": "user", "content": text}]}
        assert (await desk.send("POST", "/v1/chat/completions", body))[0] == 200
    await desk.login()
    _, told = await desk.get("/console/api/cache/questions?q=Refund")
    assert told["tenant"] == "default"
    assert {one["text"] for one in told["data"]} == {"How do refunds work?", "REFUND now"}
    fingerprint = told["data"][0]["fingerprint"]
    purge = f"/v1/cache?tenant=default&fingerprint={fingerprint}"
    assert (await desk.send("DELETE", purge))[1] == {"entries": 1}
    assert (await desk.get("/console/api/cache/questions?limit=1"))[1]["data"][1:] == []


async def test_batches_of_all_tenants_are_listed_and_called_off(desk: Desk) -> None:
    await desk.login()
    made = []
    for tenant in ("acme", "z/eta", "acme"):
        _, key = await desk.send("POST", "/v1/keys", {"tenant": tenant})
        made.append(await _batch(desk, key["key"]))
    _, told = await desk.get("/console/api/batches")
    assert [one["id"] for one in told["data"]] == made[::-1]
    assert [one["tenant"] for one in told["data"]] == ["acme", "z/eta", "acme"]
    assert told["next"] == ""
    _, page = await desk.get("/console/api/batches?limit=2")
    assert page["next"] == made[1]
    _, rest = await desk.get(f"/console/api/batches?limit=2&cursor={page['next']}")
    assert [one["id"] for one in rest["data"]] == made[:1]
    _, acme = await desk.get("/console/api/batches?tenant=acme")
    assert [one["id"] for one in acme["data"]] == [made[2], made[0]]
    api = "/console/api/batches"
    for path in (f"{api}/acme/{made[1]}/cancel", f"{api}/z/eta/{made[1]}", f"{api}/{made[1]}"):
        assert (await desk.send("POST", path))[0] == 404
    status, told = await desk.send("POST", f"{api}/z%2Feta/{made[1]}/cancel")
    ended = told["error"]["code"] if status == 409 else told["status"]
    assert ended in ("cancelling", "cancelled", "batch_not_running")
    assert (await desk.get("/console/api/batches?cursor=x"))[0] == 404


async def _batch(desk: Desk, key: str) -> str:
    """A batch of one request, made with a tenant's key."""
    headers = {"authorization": f"Bearer {key}"}
    line = {"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": CHAT}
    form = aiohttp.FormData({"purpose": "batch"})
    form.add_field("file", json.dumps(line), filename="in.jsonl")
    async with aiohttp.ClientSession(desk.url, headers=headers) as http:
        async with http.post("/v1/files", data=form) as answer:
            file_id = (await answer.json())["id"]
        asked = {"input_file_id": file_id, "endpoint": "/v1/chat/completions"}
        async with http.post("/v1/batches", json={**asked, "completion_window": "24h"}) as answer:
            return str((await answer.json())["id"])


async def test_nothing_below_the_console_is_told_to_strangers(desk: Desk) -> None:
    routes = [
        (method, path)
        for method, path in desk.house.app.router.listed
        if path.startswith("/console/api/") and path.rpartition("/")[2] not in ("session", "login")
    ]
    assert len(routes) >= 8
    for method, path in routes:
        if path == "/console/api/logout":
            continue
        status, _ = await desk.send(method, path.replace("{what}", "acme/batch_1/cancel"))
        assert status == 401, path


async def test_while_it_drains_the_console_answers_and_events_end(open_console: Open) -> None:
    async with open_console() as desk:
        await desk.login()
        async with desk.http.get("/console/api/live/events") as answer:
            await answer.content.readline()
            desk.house._desk.drain(on=True)
            await answer.read()
        assert (await desk.get("/console/api/overview"))[1]["draining"] is True
