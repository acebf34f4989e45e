"""Trails of a whole gateway over HTTP: of any way a request can go, and only for its tenant."""

from __future__ import annotations

import hashlib
from typing import Any

from houses import Flow, Open, policy
from provider.fixtures import ScriptedProvider

KEYS = {name: f"sk-{name}-of-the-trails" for name in ("acme", "zeta", "admin")}


def _digest(name: str) -> str:
    return hashlib.sha256(KEYS[name].encode()).hexdigest()


def keyed(**more: Any) -> Any:
    keys = [{"sha256": _digest(name), "tenant": name, "user": "u"} for name in ("acme", "zeta")]
    return policy(admission={"keys": keys, "admin_keys": [_digest("admin")], **more})


async def trail(flow: Flow, request_id: str, key: str = "", query: str = "") -> tuple[int, Any]:
    headers = {"authorization": f"Bearer {KEYS[key]}"} if key else {}
    async with flow.http.get(f"/v1/trails/{request_id}{query}", headers=headers) as answer:
        return answer.status, await answer.json()


async def asked(flow: Flow, key: str, **fields: Any) -> str:
    body = {"model": "ok", "messages": [{"role": "user", "content": "hello"}], **fields}
    headers = {"authorization": f"Bearer {KEYS[key]}"}
    async with flow.http.post("/v1/chat/completions", json=body, headers=headers) as answer:
        await answer.read()
        return str(answer.headers["x-request-id"])


async def test_a_trail_tells_the_way_of_its_request(flow: Flow) -> None:
    status, headers, body = await flow.chat("what is the weather like")
    assert status == 200
    status, found = await trail(flow, headers["x-request-id"], query="?wait_s=5")
    assert (status, found["object"], found["request_id"]) == (200, "trail", headers["x-request-id"])
    assert (found["route"], found["status"], found["error"]) == ("/v1/chat/completions", 200, "")
    assert (found["backend"], found["model"], found["cache"]) == ("p", "ok", "miss")
    assert found["completion_tokens"] == body["usage"]["completion_tokens"]
    assert found["cost_micro_usd"] > 0
    stages = [note["stage"] for note in found["notes"]]
    for stage in ("admission", "input_filter", "cache", "router", "attempt", "answer"):
        assert stage in stages
    for note in found["notes"]:
        assert 0 <= note["began_ms"] <= note["began_ms"] + note["took_ms"] <= found["ms"] + 1
    assert found["plan"]["candidates"][0]["backend"] == "p"
    assert "weather" not in str(found)


async def test_failures_and_hits_are_told_as_they_were(
    flow: Flow, provider: ScriptedProvider
) -> None:
    provider.script("ok", "status-503")
    _, headers, _ = await flow.chat("hello")
    _, found = await trail(flow, headers["x-request-id"], query="?wait_s=5")
    assert (found["status"], found["error"]) == (502, "all_backends_failed")
    tries = [note for note in found["notes"] if note["stage"] == "attempt"]
    assert {note["decision"] for note in tries} == {"transient"}
    assert tries[0]["facts"]["status"] == 503

    provider.script("ok", "ok")
    for _ in range(2):
        _, headers, _ = await flow.chat("hello again")
    _, found = await trail(flow, headers["x-request-id"], query="?wait_s=5")
    assert found["cache"] == "l1"
    assert not [note for note in found["notes"] if note["stage"] == "attempt"]


async def test_a_trail_is_there_for_its_own_tenant_only(open_flow: Open) -> None:
    async with open_flow(rules=keyed()) as flow:
        request_id = await asked(flow, "acme")
        status, found = await trail(flow, request_id, "acme", "?wait_s=5")
        assert (status, found["tenant"]) == (200, "acme")
        unknown = await trail(flow, "req_unknown", "zeta")
        others = await trail(flow, request_id, "zeta")
        assert (unknown[0], others[0]) == (404, 404)
        assert others[1]["error"]["code"] == unknown[1]["error"]["code"] == "trail_not_found"
        assert (await trail(flow, request_id, "zeta", "?tenant=acme"))[0] == 403
        assert (await trail(flow, request_id))[0] == 401
        for query in ("", "?tenant=acme"):
            status, found = await trail(flow, request_id, "admin", query)
            assert (status, found["request_id"]) == (200, request_id)
        assert (await trail(flow, request_id, "admin", "?tenant=zeta"))[0] == 404


async def test_what_was_refused_at_the_door_is_for_admins(open_flow: Open) -> None:
    async with open_flow(rules=keyed()) as flow:
        _, headers, _ = await flow.chat("hello")
        status, found = await trail(flow, headers["x-request-id"], "admin", "?wait_s=5")
    assert (status, found["status"], found["tenant"]) == (200, 401, "")
    assert [note["decision"] for note in found["notes"]] == ["refused"]


async def test_a_caller_sees_why_its_request_failed(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    """No reply has come, but who asked is known; of one that was refused for its limits, too."""
    rules = keyed(limits=[{"per": ["user"], "tokens_per_request": 4000}])
    provider.script("ok", "status-500")
    provider.script("second", "status-500")
    provider.script("strong", "status-500")
    async with open_flow(rules=rules) as flow:
        failed = await asked(flow, "acme", model="default", max_tokens=50)
        status, found = await trail(flow, failed, "acme", "?wait_s=5")
        assert (status, found["status"], found["error"]) == (200, 502, "all_backends_failed")
        assert "attempt" in [note["stage"] for note in found["notes"]]
        refused = await asked(flow, "acme", max_tokens=5000)
        status, found = await trail(flow, refused, "acme", "?wait_s=5")
        assert (status, found["tenant"]) == (200, "acme")
        assert found["notes"][0]["decision"] == "refused"
        assert (await trail(flow, failed, "zeta"))[0] == 404


async def test_wrong_questions_are_refused(flow: Flow) -> None:
    for query in ("?wait_s=0", "?wait_s=99", "?wait_s=x", "?nonsense=1"):
        status, answer = await trail(flow, "req_1", query=query)
        assert (status, answer["error"]["type"]) == (400, "invalid_request_error")


async def test_work_that_was_done_later_has_a_trail_too(flow: Flow) -> None:
    async with flow.http.post("/agent/async", json={"message": "hi", "model": "ok"}) as answer:
        request_id = answer.headers["x-request-id"]
    status, found = await trail(flow, request_id, query="?wait_s=10")
    assert status == 200
    assert (found["route"], found["backend"]) == ("/agent/chat", "p")
