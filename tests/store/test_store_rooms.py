"""Every room that keeps something in Redis, over clusters: no command has keys of two slots.

Each test works for several tenants at once, whose keys are on different servers.
"""

from __future__ import annotations

import asyncio
import time

import pytest
from admission.keys_world import replica as keys_replica
from admission.keys_world import until
from cache.cache_world import filled, stage
from cache.cache_world import replica as cache_replica
from cache.cache_world import until as until_async
from flights.flight_calls import Upstream
from flights.flight_replica import Replica
from store.valkey_cluster import ClusterServers
from vitals.vitals_replica import exchange, replicas

from serve_app.accounting.ledger import Ledger, Settlement
from serve_app.admission.till import Till
from serve_app.alerts.shelf import Shelf
from serve_app.alerts.state import State
from serve_app.cache.semantic.records import Added, Log
from serve_app.cache.semantic.verdicts import Verdicts
from serve_app.config.policy import ConversationPolicy
from serve_app.console.tries import OF_ADDRESS, Tries
from serve_app.core.clock import SystemClock
from serve_app.core.kept import Found, Hot, Lookup, Purge, Purged, Question, TopQuery
from serve_app.core.key_record import KeyQuery, KeyTerms
from serve_app.core.limits import Allowance, Need, Scope
from serve_app.core.types import Message
from serve_app.observe.history import History
from serve_app.observe.sharing import Sharing
from serve_app.observe.snapshot import Snapshot
from serve_app.sessions.items import Items
from serve_app.sessions.names import KeptNames
from serve_app.sessions.responses import Responses, StoredResponse
from serve_app.sessions.seal import Seals
from serve_app.sessions.store import Conversations
from serve_app.store import keys
from serve_app.store.client import Store
from serve_app.store.duty import Duty
from serve_app.store.scripts import load_scripts

TENANTS = [f"tenant-{i}" for i in range(12)]
SEALS = Seals("a secret of thirty-two characters")


def has_run(cluster: ClusterServers, *names: str) -> bool:
    """Whether scripts were called since the cluster was clean."""
    known = load_scripts()
    found = [[s.ask("SCRIPT", "EXISTS", known[n].sha) for s in cluster.servers] for n in names]
    return all([True] in answers or [1] in answers for answers in found)


def test_every_script_is_run_below() -> None:
    """A new one needs a test here: on one server nobody notices that its keys lie apart. Those of
    tasks, files and batches are run in `test_store_later.py`."""
    here = {name for name in load_scripts() if not name.startswith(("task_", "file_", "batch_"))}
    assert here == {
        *("conversation_append", "conversation_land", "conversation_note", "conversation_read"),
        *("conversation_sum", "conversation_swap", "response_put"),
        *("fill", "flight_hear", "flight_lead", "hot", "keys_hear", "keys_put"),
        *("ledger", "seek", "vitals"),
        *("metrics", "duty", "duty_leave", "alerts_save", "console_try"),
    }


async def levels(found: list[Found]) -> list[str]:
    return [one.level for one in found]


async def test_answers_of_many_tenants_are_kept_and_purged(
    cluster: ClusterServers, cluster_store: Store
) -> None:
    async with cache_replica(cluster.url) as one, cache_replica(cluster.url) as other:
        claims = [Lookup("f", tenant, holder="me") for tenant in TENANTS]
        found = await one.lookup(claims)
        assert [(f.level, f.leads) for f in found] == [("miss", True)] * 12
        assert [f.leads for f in await other.lookup(claims)] == [True] * 12  # the same holder
        others = [Lookup("f", tenant, holder="another") for tenant in TENANTS]
        assert [f.leads for f in await other.lookup(others)] == [False] * 12
        assert (
            await one.fill([filled("f", tenant, tags=("faq",)) for tenant in TENANTS])
            == [True] * 12
        )
        looks = [Lookup("f", tenant) for tenant in TENANTS]
        assert await levels(await other.lookup(looks)) == ["l2"] * 12
        assert await one.purge([Purge(tenant=TENANTS[0]), Purge(tag="faq")]) == [
            Purged(1),
            Purged(11),
        ]

        async def are_gone() -> bool:
            return await levels(await other.lookup(looks)) == ["miss"] * 12

        await until_async(are_gone)
    assert has_run(cluster, "seek", "fill")


async def test_hot_questions_of_many_tenants_are_counted(
    cluster: ClusterServers, cluster_store: Store
) -> None:
    cache = stage(cluster_store)
    lookups = [Lookup("f", tenant, question=Question("p", "What?")) for tenant in TENANTS]
    await cache.lookup(lookups)
    await cache.fill([filled("f", TENANTS[0])])
    await cache.lookup(lookups)
    found = await cache.top([TopQuery(tenant) for tenant in TENANTS])
    assert found == [[Hot("f", "What?", 2, int(i == 0))] for i in range(12)]
    assert has_run(cluster, "hot")


async def test_one_call_answers_replicas_over_a_cluster(cluster: ClusterServers) -> None:
    one, other = Replica("one", cluster.url), Replica("other", cluster.url)
    upstream = Upstream()
    try:
        one.start()
        other.start()
        words = [r.words(await r.seat(upstream.launch)) for r in (one, other)]
        begun = asyncio.gather(*(anext(said) for said in words))
        (await upstream.launched()).say("a")
        assert list(await begun) == ["a", "a"]  # so the other replica listens
        upstream.answer("b", "c")
        assert [[word async for word in said] for said in words] == [["b", "c"]] * 2
        assert len(upstream.calls) == 1
        assert has_run(cluster, "flight_lead", "flight_hear")
    finally:
        await one.close()
        await other.close()


def scope(owner: str, *name: str) -> Scope:
    allowance = Allowance(requests=2, tokens=10_000, parallel=5, day=1000)
    state, holds = keys.scope_state(owner, name), keys.scope_holds(owner, name)
    return Scope("per " + name[-1], state, holds, allowance, allowance.packed())


@pytest.mark.parametrize("together", [False, True])
async def test_limits_and_books_of_many_tenants(
    cluster: ClusterServers, cluster_store: Store, together: bool
) -> None:
    clock = SystemClock()
    ledger = Ledger(cluster_store, clock, together=together)
    till = Till(cluster_store, clock, 30.0, lambda lease: ledger.end(lease, lease.tenant))
    till.start()
    try:
        scopes = {
            tenant: tuple(
                scope(keys.TOGETHER if together else tenant, tenant, kind)
                for kind in ("user=ann", "key=1", "all")
            )
            for tenant in TENANTS
        }
        need = Need(100, 100, 300)
        wanted = [till.reserve(tenant, scopes[tenant], need) for tenant in TENANTS * 3]
        outcomes = await asyncio.gather(*wanted)
        leases = [outcome.lease for outcome in outcomes if outcome.lease is not None]
        assert sorted(lease.tenant for lease in leases) == sorted(TENANTS * 2)
        refusals = [outcome.refusal.limit for outcome in outcomes if outcome.refusal is not None]
        assert refusals == ["requests"] * 12
        for lease in leases:
            lease.charge(60, 40, 70)
            ledger.record(Settlement(lease.tenant, "ann", "m", "b", 60, 40, 70))
            lease.done()
        assert await ledger.flush()
        for tenant in TENANTS:
            used = await till.look(scopes[tenant])
            assert [(u.running, u.held, u.day) for u in used] == [(0, 0, 140)] * 3
            assert (await ledger.totals(tenant)).total.cost_micro_usd == 140
        assert has_run(cluster, "ledger")
    finally:
        await till.close()
        await ledger.close()


async def test_conversations_of_many_tenants(cluster: ClusterServers, cluster_store: Store) -> None:
    policy = ConversationPolicy()
    sessions = Conversations(cluster_store, policy, SystemClock(), seals=SEALS, encrypt=True)
    names = KeptNames(cluster_store, policy, SEALS)
    responses = Responses(cluster_store, policy)
    for tenant in TENANTS:
        assert await sessions.create(tenant, "s", {"tenant": tenant})
        assert await sessions.append(tenant, "s", [Message("user", "hi")]) == 1
        sealed = names.sealed(tenant, "s", (("<EMAIL_1>", tenant),))
        assert await sessions.append(tenant, "s", [Message("user", tenant)], 1, names=sealed) == 2
        assert [m.content for m in await sessions.load(tenant, "s")] == ["hi", tenant]
        assert await names.load(tenant, "s") == (("<EMAIL_1>", tenant),)
        assert await sessions.fork(tenant, "s", 1, "other") == 1
        await names.copy(tenant, "s", "other")
        assert await Items(sessions).delete(tenant, "other", "msg_0_0")
        assert await sessions.claim_summary(tenant, "s", 1, 60)
        assert await responses.put(tenant, StoredResponse("r", "completed", 1, b"{}", thread="s"))
        assert await sessions.delete(tenant, "s")
        assert await responses.get(tenant, "r") is None
    assert has_run(cluster, *(name for name in load_scripts() if name.startswith("conversation")))
    assert has_run(cluster, "response_put")


async def test_replicas_tell_each_other_how_backends_do(cluster: ClusterServers) -> None:
    async with replicas(cluster.url, 2) as (one, other):
        one.fail()
        await exchange(one, other)
        assert other.breaker.is_open
        one.pass_time(60)
        other.pass_time(60)
        assert sorted([await one.may_try(), await other.may_try()]) == [False, True]
        one.breaker.succeeded()
        await exchange(one, other)
        assert not other.breaker.is_open
        assert has_run(cluster, "vitals")


async def test_api_keys_reach_every_replica(cluster: ClusterServers) -> None:
    async with keys_replica(cluster.url, "a") as one, keys_replica(cluster.url, "b") as other:
        made = [await one.registrar.create(KeyTerms(tenant)) for tenant in TENANTS]
        await until(lambda: all(other.takes(new.key) for new in made))
        await one.registrar.disable(made[0].record.id)
        await until(lambda: not other.takes(made[0].key))
        assert other.takes(made[1].key)
    async with keys_replica(cluster.url, "c") as late:
        await until(lambda: late.directory.is_loaded)
        page = await late.registrar.list(KeyQuery())
        assert {record.tenant for record in page.records} == set(TENANTS)
    assert has_run(cluster, "keys_put", "keys_hear")


async def test_questions_that_are_alike_are_logged(cluster_store: Store) -> None:
    verdicts = Verdicts(cluster_store)
    for tenant in TENANTS:
        log = Log(cluster_store, tenant, "p", "e", 100)
        records = [Added(str(i), "What?", b"\0\0", time.time() + 60) for i in range(3)]
        await log.append(list(records), 600)
        assert await Log(cluster_store, tenant, "p", "e", 100).news() == records
        verdicts.count(same=True)
    assert await verdicts.total() == (12, 0)


async def test_metrics_of_processes_become_one(
    cluster: ClusterServers, cluster_store: Store
) -> None:
    field = "serve_app_cache_lookups_total\nlevel=l1\n"
    first, second = Sharing(cluster_store), Sharing(cluster_store)
    for process in (first, second):
        process.add(field, 2)
        process.show(field, "an example")
        assert await process.push()
    shared = await first.read()
    assert (shared.totals, shared.examples) == ({field: 4}, {field: b"an example"})
    assert await second.close(5)
    assert has_run(cluster, "metrics")


async def test_one_of_all_has_a_duty_and_keeps_its_history(
    cluster: ClusterServers, cluster_store: Store
) -> None:
    async def look() -> Snapshot:
        return Snapshot(time.time(), {})

    first, second = (Duty(cluster_store, "watch", name) for name in ("a", "b"))
    assert [await duty.beat() for duty in (first, second)] == [True, False]
    history = History(cluster_store, first, look, SystemClock())
    assert await history.append(await look())
    assert len(await history.read(60)) == 1
    await first.close()
    assert await second.beat()
    assert has_run(cluster, "duty", "duty_leave")


async def test_what_is_known_of_alerts_is_kept(
    cluster: ClusterServers, cluster_store: Store
) -> None:
    first, second = Shelf(cluster_store, "a"), Shelf(cluster_store, "b")
    await first.save(await first.read(), [])
    assert await second.read() == State()
    assert has_run(cluster, "alerts_save")


async def test_tries_to_log_in_are_counted_by_address(
    cluster: ClusterServers, cluster_store: Store
) -> None:
    tries = Tries(cluster_store, SystemClock())
    waits = [await tries.take("192.0.2.1") for _ in range(OF_ADDRESS + 1)]
    assert waits[:-1] == [0.0] * OF_ADDRESS
    assert waits[-1] > 0
    assert await tries.take("192.0.2.2") == 0.0
    assert has_run(cluster, "console_try")
