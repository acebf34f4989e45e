"""Tasks, files and batches over clusters: no command has keys of two slots."""

from __future__ import annotations

import asyncio
from pathlib import Path

from batches.test_batch_register import PLAN, terms
from files.test_files_store import World
from store.valkey_cluster import ClusterServers
from tasks.task_world import new, queue_over

from serve_app.batches.register import Register
from serve_app.config.batch_policy import BatchesPolicy
from serve_app.core.batch import BatchQuery, ShardDone, Tally
from serve_app.core.clock import FakeClock
from serve_app.core.stored_file import FileQuery
from serve_app.store.client import Store
from serve_app.store.scripts import load_scripts

TENANTS = [f"tenant-{i}" for i in range(12)]


def unused(cluster: ClusterServers, prefix: str) -> list[str]:
    """Scripts of a room that were not called since the cluster was clean."""
    known = [script for name, script in load_scripts().items() if name.startswith(prefix)]
    assert known
    return [
        script.name
        for script in known
        if not any(1 in s.ask("SCRIPT", "EXISTS", script.sha) for s in cluster.servers)
    ]


async def test_tasks_of_many_tenants(cluster: ClusterServers, cluster_store: Store) -> None:
    queue = queue_over(cluster_store)
    made = await queue.submit_many([new(tenant=tenant) for tenant in TENANTS])
    claims = await queue.take("w", 6)
    assert len({claim.task.tenant for claim in claims}) == 6
    assert await queue.renew("w", claims) == set()
    done, failed, dead, back, told, gone = claims
    assert await queue.progress(told, [b"half"])
    assert await queue.finish(done, b"result")
    assert await queue.fail(failed, "e", "m", retry=True) == "delayed"
    assert await queue.fail(dead, "e", "m", retry=False) == "failed"
    assert await queue.release(back)
    await queue.cancel(gone.task.tenant, gone.task.id)
    assert await queue.renew("w", [told, gone]) == {gone.task.id}
    assert (await queue.retry(None, dead.task.id)).state == "pending"
    await queue.sweep()
    events = await queue.events(told.task.tenant, told.task.id)
    assert [event.data for event in events] == [b"half"]
    assert len(await queue.get_many(None, [one.view.id for one in made])) == 12
    assert [t.id for t in (await queue.list(None, "succeeded")).tasks] == [done.task.id]
    assert sum(count.running for count in (await queue.backlog()).by_priority.values()) == 1
    assert await queue.forget(None, done.task.id)
    assert (await queue.purge("pending")).count > 0
    assert unused(cluster, "task_") == []


async def test_files_of_many_tenants(
    cluster: ClusterServers, cluster_store: Store, tmp_path: Path
) -> None:
    world = World(cluster_store, tmp_path)
    kept = [await world.put(tenant.encode(), tenant) for tenant in TENANTS]
    for tenant, record in zip(TENANTS, kept, strict=True):
        page = await world.files.page(tenant, FileQuery())
        assert [one.id for one in page.records] == [record.id]
        assert await world.content(record) == tenant.encode()
        await world.files.delete(tenant, record.id)
    assert unused(cluster, "file_") == []


async def test_batches_of_many_tenants(cluster: ClusterServers, cluster_store: Store) -> None:
    register = Register(cluster_store, BatchesPolicy(), FakeClock(1000.0))

    async def whole_life(number: int, tenant: str) -> None:
        batch = await register.enter(terms(number, tenant))
        await register.begin(batch, PLAN, "m")
        for shard in range(len(PLAN)):
            await register.shard_done(
                tenant, batch.id, shard, ShardDone("part", "", Tally(completed=2))
            )
        [found] = (await register.page(tenant, BatchQuery())).batches
        assert (found.id, found.done, found.tally.completed) == (batch.id, 2, 4)

    await asyncio.gather(*(whole_life(n, tenant) for n, tenant in enumerate(TENANTS)))
    assert unused(cluster, "batch_") == []
