"""The queue against a plain model of it, through whatever order of events hypothesis thinks of.

Time is no part of it: a lease ends, and a delay is over, when a rule says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tasks.task_world import Hands, new, queue_over

from serve_app.config.structure import RedisSettings
from serve_app.core.clock import SystemClock
from serve_app.store.client import Store
from serve_app.store.embedded import EmbeddedValkey
from serve_app.tasks.base import Claim, TaskConflict, TaskNotFound, TaskPriority, TaskState

T = TypeVar("T")

TENANTS = st.sampled_from(["acme", "zeta:1"])
PRIORITIES = st.sampled_from(["high", "normal", "low"])
MAX_RETRIES = 2


class Known:
    """What the model knows of a task."""

    def __init__(self, tenant: str, priority: TaskPriority, payload: bytes, key: str) -> None:
        self.tenant = tenant
        self.priority = priority
        self.payload = payload
        self.key = key
        self.state: TaskState = "pending"
        self.tries = 0
        self.valid_fence: int | None = None
        """Of the claim that may end it."""
        self.was_taken = False
        self.result: bytes | None = None

    @property
    def line(self) -> tuple[str, str]:
        return self.tenant, self.priority


class Machine(RuleBasedStateMachine):
    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.hands = Hands(self.url)
        self.hands.redis.flushall()
        self.store = self.run(self._store())
        self.queue = queue_over(self.store)
        self.tasks: dict[str, Known] = {}
        self.claims: list[Claim] = []
        self.keys: dict[tuple[str, str], str] = {}
        self.made = 0

    async def _store(self) -> Store:
        return Store(RedisSettings(timeout_ms=5000), SystemClock(), self.url)

    def run(self, what: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(what)

    def teardown(self) -> None:
        self.run(self.store.close())
        self.hands.close()
        self.runner.close()

    def of(self, *states: TaskState) -> list[str]:
        return [name for name, task in self.tasks.items() if task.state in states]

    def pick(self, data: st.DataObject, *states: TaskState) -> str:
        return str(data.draw(st.sampled_from(self.of(*states))))

    def end(self, task_id: str, state: TaskState, result: bytes | None = None) -> None:
        task = self.tasks[task_id]
        task.state, task.result = state, result

    # ----------------------------------------------------------------- callers

    @rule(tenant=TENANTS, priority=PRIORITIES, delayed=st.booleans(), count=st.integers(1, 4))
    def submit(self, tenant: str, priority: TaskPriority, delayed: bool, count: int) -> None:
        fresh = []
        for _ in range(count):
            self.made += 1
            delay_s = 3600.0 if delayed else 0.0
            fresh.append(
                new(b"%d" % self.made, tenant, priority=priority, delay_s=delay_s,
                    max_retries=MAX_RETRIES)
            )  # fmt: skip
        for task, done in zip(fresh, self.run(self.queue.submit_many(fresh)), strict=True):
            assert done.is_new
            known = Known(tenant, priority, task.payload, "")
            known.state = "delayed" if delayed else "pending"
            assert done.view.state == known.state
            self.tasks[done.view.id] = known

    @rule(tenant=TENANTS, key=st.sampled_from("xy"), digest=st.sampled_from("12"))
    def submit_by_key(self, tenant: str, key: str, digest: str) -> None:
        self.made += 1
        payload = b"%d" % self.made
        task = new(payload, tenant, max_retries=MAX_RETRIES, idempotency_key=key,
                   idempotency_digest=digest)  # fmt: skip
        holder = self.keys.get((tenant, key))
        known = self.tasks.get(holder or "")
        if known is not None and known.key != digest:
            with pytest.raises(TaskConflict):
                self.run(self.queue.submit(task))
            return
        done = self.run(self.queue.submit(task))
        assert done.is_new == (known is None)
        if known is not None:
            assert done.view.id == holder
        else:
            self.tasks[done.view.id] = Known(tenant, "normal", payload, digest)
            self.keys[tenant, key] = done.view.id

    @precondition(lambda self: self.tasks)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        task_id = data.draw(st.sampled_from([*self.tasks]))
        task = self.tasks[task_id]
        if task.state in ("pending", "delayed", "running"):
            self.end(task_id, "cancelled")
            task.valid_fence = None
        assert self.run(self.queue.cancel(task.tenant, task_id)).state == task.state

    @precondition(lambda self: self.tasks)
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        task_id = data.draw(st.sampled_from([*self.tasks]))
        task = self.tasks[task_id]
        if task.state not in ("dead", "failed"):
            with pytest.raises(TaskConflict):
                self.run(self.queue.retry(None, task_id))
            return
        assert self.run(self.queue.retry(None, task_id)).state == "pending"
        task.state, task.tries, task.was_taken, task.valid_fence = "pending", 0, False, None

    @precondition(lambda self: self.tasks)
    @rule(data=st.data())
    def forget(self, data: st.DataObject) -> None:
        task_id = data.draw(st.sampled_from([*self.tasks]))
        assert self.run(self.queue.forget(None, task_id))
        del self.tasks[task_id]

    # ----------------------------------------------------------------- workers

    @rule(limit=st.integers(1, 5))
    def take(self, limit: int) -> None:
        waiting = self.of("pending")
        claims = self.run(self.queue.take("w", limit))
        assert len(claims) == min(limit, len(waiting))
        for claim in claims:
            self.check_taken(claim)

    def check_taken(self, claim: Claim) -> None:
        task = self.tasks[claim.task.id]
        assert task.state == "pending"
        before = [
            other
            for other in self.tasks.values()
            if other.state == "pending" and other.line == task.line and other is not task
        ]
        # Of one tenant and priority: what had a try before goes first, the others in order.
        if not task.was_taken:
            assert not [other for other in before if other.was_taken]
        task.state, task.was_taken, task.valid_fence = "running", True, claim.fence
        task.tries += 1
        assert (claim.payload, claim.task.attempts) == (task.payload, task.tries)
        assert claim.fence > max(
            (old.fence for old in self.claims if old.task.id == claim.task.id), default=0
        )
        self.claims.append(claim)

    def has(self, claim: Claim) -> Known | None:
        """The task of a claim, if the claim still holds."""
        task = self.tasks.get(claim.task.id)
        holds = task is not None and task.state == "running" and task.valid_fence == claim.fence
        return task if holds else None

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        claim = data.draw(st.sampled_from(self.claims))
        repeated = self.tasks.get(claim.task.id)
        is_repeated = (
            repeated is not None
            and repeated.state == "succeeded"
            and repeated.valid_fence == claim.fence
        )
        result = b"of %d" % claim.fence
        holds = self.has(claim) is not None
        assert self.run(self.queue.finish(claim, result)) == (holds or is_repeated)
        if holds:
            self.end(claim.task.id, "succeeded", result)

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), again=st.booleans())
    def fail(self, data: st.DataObject, again: bool) -> None:
        claim = data.draw(st.sampled_from(self.claims))
        task = self.has(claim)
        said = self.run(self.queue.fail(claim, "busy", "busy", retry=again, after_s=3600))
        if task is None:
            return
        if not again:
            self.end(claim.task.id, "failed")
        elif task.tries > MAX_RETRIES:
            self.end(claim.task.id, "dead")
        else:
            task.state = "delayed"
        assert said == task.state

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        claim = data.draw(st.sampled_from(self.claims))
        task = self.has(claim)
        released = self.run(self.queue.release(claim))
        if task is not None:
            assert released
            task.state = "pending"
            task.tries -= 1

    def zombies(self) -> list[Claim]:
        """Claims on tasks that somebody else is at."""
        running = set(self.of("running"))
        return [c for c in self.claims if c.task.id in running and not self.has(c)]

    @precondition(lambda self: self.zombies())
    @rule(data=st.data())
    def rise(self, data: st.DataObject) -> None:
        claim = data.draw(st.sampled_from(self.zombies()))
        assert not self.run(self.queue.finish(claim, b"of a zombie"))
        assert not self.run(self.queue.release(claim))
        assert not self.run(self.queue.progress(claim, [b"of a zombie"]))
        assert self.run(self.queue.fail(claim, "x", "x", retry=False)) is None
        assert self.run(self.queue.renew("w", [claim])) == {claim.task.id}

    @precondition(lambda self: self.of("running"))
    @rule(data=st.data())
    def lose(self, data: st.DataObject) -> None:
        """A worker hangs, and another has its task before it wakes."""
        self.end_lease(self.pick(data, "running"))
        for claim in self.run(self.queue.take("other", 5)):
            self.check_taken(claim)

    @precondition(lambda self: self.claims)
    @rule()
    def renew(self) -> None:
        """Each is asked about alone: of one task there may be several claims."""
        for claim in self.claims[-5:]:
            lost = self.run(self.queue.renew("w", [claim]))
            assert lost == (set() if self.has(claim) else {claim.task.id})

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def progress(self, data: st.DataObject) -> None:
        claim = data.draw(st.sampled_from(self.claims))
        told = self.run(self.queue.progress(claim, [b"more"]))
        assert told == (self.has(claim) is not None)

    # -------------------------------------------------------------------- time

    @precondition(lambda self: self.of("running"))
    @rule(data=st.data())
    def expire(self, data: st.DataObject) -> None:
        self.end_lease(self.pick(data, "running"))

    def end_lease(self, task_id: str) -> None:
        task = self.tasks[task_id]
        self.hands.expire(task_id)
        is_dead = task.tries > MAX_RETRIES
        task.state, task.valid_fence = "dead" if is_dead else "pending", None
        swept = self.run(self.queue.sweep())
        assert (swept.expired, swept.dead) == (1, int(is_dead))

    @precondition(lambda self: self.of("delayed"))
    @rule(data=st.data())
    def make_due(self, data: st.DataObject) -> None:
        task_id = self.pick(data, "delayed")
        self.hands.make_due(task_id)
        self.tasks[task_id].state = "pending"
        assert self.run(self.queue.sweep()).due == 1

    @precondition(lambda self: self.of("succeeded", "failed", "cancelled", "dead"))
    @rule(data=st.data())
    def outlive(self, data: st.DataObject) -> None:
        task_id = self.pick(data, "succeeded", "failed", "cancelled", "dead")
        self.hands.outlive(task_id)
        del self.tasks[task_id]
        with pytest.raises(TaskNotFound):
            self.run(self.queue.cancel(None, task_id))
        assert self.run(self.queue.sweep()).forgotten == 1

    # -------------------------------------------------------------------- truth

    @invariant()
    def the_books_are_right(self) -> None:
        self.hands.audit()

    @invariant()
    def every_task_is_as_it_should_be(self) -> None:
        ids = [*self.tasks]
        for task_id, view in zip(ids, self.run(self.queue.get_many(None, ids)), strict=True):
            assert view is not None
            known = self.tasks[task_id]
            assert (view.state, view.attempts) == (known.state, known.tries)

    @invariant()
    def results_are_those_of_the_claim_that_held(self) -> None:
        for task_id in self.of("succeeded"):
            view = self.run(self.queue.get(None, task_id))
            assert view is not None
            assert view.result == self.tasks[task_id].result


def test_the_queue_is_as_its_model(clean_valkey: EmbeddedValkey) -> None:
    class Here(Machine):
        url = clean_valkey.url

    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Here,
        settings=settings(
            max_examples=20,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
