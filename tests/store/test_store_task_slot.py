"""The queue of tasks on a cluster of each kind: all of it stands in one slot."""

from __future__ import annotations

from pathlib import Path

from tasks.task_world import new, queue_over

from serve_app.store import keys
from serve_app.store.client import Store
from serve_app.store.scripts import load_scripts


def test_the_queue_is_of_one_slot_and_of_no_tenant() -> None:
    assert keys.tasks("counts") == "serve-app:v1:{[tasks]}:counts"
    assert "{[tasks]}" not in keys.conversation("[tasks]", "s")


def test_a_part_stands_where_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "shared.lua").write_text("local shared = 1\n")
    (tmp_path / "one.lua").write_text("-- first\n-- include shared\nreturn shared\n")
    scripts = load_scripts(tmp_path)
    assert scripts.keys() == {"one"}
    assert scripts["one"].source == b"-- first\nlocal shared = 1\n\nreturn shared\n"


async def test_a_task_lives_on_a_cluster(cluster_store: Store) -> None:
    queue = queue_over(cluster_store)
    key = {"idempotency_key": "k", "idempotency_digest": "d"}
    await queue.submit(new(tenant="a", webhook="https://example.com/", max_retries=1, **key))
    assert not (await queue.submit(new(tenant="a", **key))).is_new
    await queue.submit(new(tenant="b", priority="low", delay_s=0.001))
    [claim] = await queue.take("w", 1)
    await queue.progress(claim, [b"half"])
    assert await queue.renew("w", [claim]) == set()
    assert await queue.release(claim)
    [claim] = await queue.take("w", 1)
    assert await queue.fail(claim, "busy", "busy", retry=True, after_s=0) == "delayed"
    taken = {claim.task.tenant: claim for claim in await queue.take("w", 9)}
    assert taken.keys() == {"a", "b"}
    assert await queue.fail(taken["a"], "busy", "busy", retry=True) == "dead"
    assert await queue.finish(taken["b"], b"done")
    task_id = taken["a"].task.id
    assert [event.kind for event in await queue.events("a", task_id)] == [
        "progress", "restart", "restart", "end"
    ]  # fmt: skip
    assert (await queue.retry("a", task_id)).state == "pending"
    assert (await queue.backlog()).waiting == 2
    assert len((await queue.list(None)).tasks) == 3
    assert (await queue.cancel("a", task_id)).state == "cancelled"
    assert (await queue.purge(None)).count == 1
    assert await queue.forget("a", task_id)
