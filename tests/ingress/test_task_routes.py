"""The routes of tasks: whose tasks a caller sees and changes, and what they say."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from ingress.asgi_world import call
from ingress.tasks_world import TasksWorld

from serve_app.store.embedded import EmbeddedValkey
from serve_app.tasks.base import NewTask

NOBODY = "task_" + "0" * 24


@pytest.fixture
async def world(clean_valkey: EmbeddedValkey) -> AsyncIterator[TasksWorld]:
    world = TasksWorld(clean_valkey.url)
    yield world
    await world.close()


async def submitted(world: TasksWorld, tenant: str = "acme", **more: Any) -> str:
    new = NewTask(kind="job", payload=b"secret words", tenant=tenant, **more)
    return (await world.queue.submit(new)).view.id


async def dead(world: TasksWorld, tenant: str = "acme") -> str:
    task_id = await submitted(world, tenant, max_retries=0)
    [claim] = await world.queue.take("w1", 1)
    await world.queue.fail(claim, "busy", "all is busy", retry=True)
    return task_id


async def ask(
    world: TasksWorld, method: str, path: str, key: str = "a-key"
) -> tuple[int, dict[str, Any]]:
    return await call(world, method, path, key=key)


async def test_a_task_is_shown_without_what_it_was_given(world: TasksWorld) -> None:
    task_id = await submitted(world, label="lunch")
    status, task = await ask(world, "GET", f"/v1/tasks/{task_id}")
    assert status == 200
    expected = {
        "object": "task", "id": task_id, "state": "pending", "label": "lunch", "attempts": 0,
        "started_at": None, "ended_at": None, "error": None, "result_bytes": 0,
    }  # fmt: skip
    assert expected.items() <= task.items()
    [claim] = await world.queue.take("w1", 1)
    await world.queue.finish(claim, b"secret answer")
    _, task = await ask(world, "GET", f"/v1/tasks/{task_id}")
    assert (task["state"], task["result_bytes"]) == ("succeeded", 13)
    assert "secret" not in json.dumps(task)


async def test_a_dead_task_says_why_and_is_tried_again(world: TasksWorld) -> None:
    task_id = await dead(world)
    _, task = await ask(world, "GET", f"/v1/tasks/{task_id}")
    assert (task["state"], task["error"]) == ("dead", {"code": "busy", "message": "all is busy"})
    status, task = await ask(world, "POST", f"/v1/tasks/{task_id}/retry")
    assert (status, task["state"], task["error"]) == (200, "pending", None)
    status, problem = await ask(world, "POST", f"/v1/tasks/{task_id}/retry")
    assert (status, problem["error"]["code"]) == (409, "task_not_failed")


async def test_a_task_is_cancelled_and_deleted(
    world: TasksWorld, caplog: pytest.LogCaptureFixture
) -> None:
    task_id = await submitted(world)
    with caplog.at_level(logging.INFO, "serve_app.ingress.tasks_admin"):
        _, task = await ask(world, "POST", f"/v1/tasks/{task_id}/cancel")
        assert task["state"] == "cancelled"
        gone = await ask(world, "DELETE", f"/v1/tasks/{task_id}")
    assert gone == (200, {"id": task_id, "object": "task", "deleted": True})
    assert (await ask(world, "GET", f"/v1/tasks/{task_id}"))[0] == 404
    assert caplog.text.count(task_id) == 2


ONE = [("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("POST", "/retry")]


@pytest.mark.parametrize(("method", "action"), ONE)
async def test_another_tenants_task_is_none(world: TasksWorld, method: str, action: str) -> None:
    task_id = await dead(world, "zeta")
    for of in (task_id, NOBODY, "task_x", "%", "x" * 200):
        status, problem = await ask(world, method, f"/v1/tasks/{of}{action}")
        assert (status, problem["error"]["code"]) == (404, "task_not_found")
    assert (await ask(world, "GET", f"/v1/tasks/{task_id}", "z-key"))[0] == 200
    assert (await ask(world, method, f"/v1/tasks/{task_id}{action}", "boss"))[0] == 200


async def test_a_list_has_the_callers_tasks_an_admins_all(world: TasksWorld) -> None:
    mine = [await submitted(world) for _ in range(3)]
    other = await submitted(world, "zeta")

    async def ids(query: str, key: str) -> list[str]:
        status, said = await ask(world, "GET", f"/v1/tasks{query}", key)
        assert status == 200, said
        return [task["id"] for task in said["data"]]

    assert await ids("", "a-key") == await ids("?tenant=acme", "a-key") == mine[::-1]
    assert await ids("", "z-key") == await ids("?tenant=zeta", "boss") == [other]
    assert await ids("", "boss") == [other, *mine[::-1]]
    assert await ids("?state=dead", "boss") == []
    status, problem = await ask(world, "GET", "/v1/tasks?tenant=zeta", "a-key")
    assert (status, problem["error"]["code"]) == (403, "admin_required")


async def test_pages_follow_each_other(world: TasksWorld) -> None:
    made = [await submitted(world) for _ in range(5)]
    found, cursor = [], ""
    while True:
        _, said = await ask(world, "GET", f"/v1/tasks?limit=2&cursor={cursor}")
        found += [task["id"] for task in said["data"]]
        cursor = said["next"]
        if not cursor:
            break
    assert found == made[::-1]


async def test_admins_purge(world: TasksWorld) -> None:
    kept = [await dead(world, "zeta")]
    await dead(world)
    kept.append(await submitted(world))
    assert (await ask(world, "DELETE", "/v1/tasks?state=dead"))[0] == 403
    assert await ask(world, "DELETE", "/v1/tasks?older_than_s=60", "boss") == (
        200, {"purged": 0, "next": ""}
    )  # fmt: skip
    purge = "/v1/tasks?state=dead&tenant=acme&older_than_s=0"
    assert await ask(world, "DELETE", purge, "boss") == (200, {"purged": 1, "next": ""})
    _, left = await ask(world, "GET", "/v1/tasks", "boss")
    assert {task["id"] for task in left["data"]} == set(kept)


async def test_a_long_purge_goes_on_where_it_was(
    world: TasksWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve_app.ingress.tasks_admin._PURGE_STEPS", 1)
    for _ in range(2):
        await world.queue.cancel(None, await submitted(world))
        await dead(world)
    purged, cursor = 0, ""
    while True:
        path = f"/v1/tasks?older_than_s=0&cursor={cursor}"
        status, said = await ask(world, "DELETE", path, "boss")
        assert status == 200
        purged, cursor = purged + said["purged"], said["next"]
        if not cursor:
            break
    assert purged == 4


@pytest.mark.parametrize(
    "query",
    ["state=x", "state=", "limit=0", "limit=1001", "cursor=x", "cursor=-1", "older_than_s=1",
     "tenant=%ff", "a=1&" * 9, "tenant=" + "x" * 300],
)  # fmt: skip
async def test_a_list_that_makes_no_sense(world: TasksWorld, query: str) -> None:
    assert (await ask(world, "GET", f"/v1/tasks?{query}", "boss"))[0] == 400


@pytest.mark.parametrize(
    "query",
    ["", "tenant=acme", "state=running", "state=x", "older_than_s=-1", "older_than_s=1.5",
     "state=dead&cursor=1", "state=dead&cursor=failed:1", "state=dead&limit=5"],
)  # fmt: skip
async def test_a_purge_that_makes_no_sense(world: TasksWorld, query: str) -> None:
    await dead(world)
    assert (await ask(world, "DELETE", f"/v1/tasks?{query}", "boss"))[0] == 400
    assert (await ask(world, "GET", "/v1/tasks?state=dead"))[1]["data"] != []


async def test_without_a_key_nothing_is_told(world: TasksWorld) -> None:
    for method, path in [("GET", "/v1/tasks"), ("DELETE", "/v1/tasks?state=dead")]:
        assert (await ask(world, method, path, ""))[0] == 401


async def test_without_redis_it_says_so(world: TasksWorld) -> None:
    await world.close()
    broken = TasksWorld("redis://127.0.0.1:1")
    status, problem = await ask(broken, "GET", "/v1/tasks")
    assert (status, problem["error"]["code"]) == (503, "tasks_unavailable")
    await broken.close()
