"""A queue over a real Valkey for the tests, time that moves at once, and an audit of its books."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

from redis import Redis

from serve_app.config.structure import TaskSettings
from serve_app.config.tasks_policy import TasksPolicy
from serve_app.store.client import Store
from serve_app.tasks.base import ENDED, Claim, NewTask
from serve_app.tasks.queue import RedisQueue

ROOT = "serve-app:v1:{[tasks]}:"
TENANT = "acme"


def queue_over(store: Store, *, lease_s: float = 10.0, **policy: Any) -> RedisQueue:
    settings = TaskSettings(lease_s=lease_s)
    return RedisQueue(store, settings, TasksPolicy(**policy), random.Random(7))


def new(payload: bytes = b"work", tenant: str = TENANT, **more: Any) -> NewTask:
    return NewTask(kind="job", payload=payload, tenant=tenant, **more)


async def taken(queue: RedisQueue, worker: str = "w") -> Claim:
    """The one task that can be taken."""
    [claim] = await queue.take(worker, 100)
    return claim


class Hands:
    """Reaches into Redis to let time pass for one task, and to see that the books are right."""

    def __init__(self, url: str) -> None:
        self.redis = Redis.from_url(url, decode_responses=True, encoding="latin-1")

    def close(self) -> None:
        self.redis.close()

    def expire(self, task_id: str) -> None:
        """Its worker was not heard of for longer than its lease."""
        self._overdue("leases", task_id)

    def make_due(self, task_id: str) -> None:
        """The time that a delayed task waits for has come."""
        self._overdue("due", task_id)

    def outlive(self, task_id: str) -> None:
        """An ended task has been kept as long as it is kept."""
        self._overdue("expiring", task_id)
        self.redis.hset(f"{ROOT}task:{task_id}", "gone", "1")

    def _overdue(self, kind: str, task_id: str) -> None:
        assert self.redis.zadd(ROOT + kind, {task_id: 1}, xx=True, ch=True) == 1

    def names(self, kind: str) -> set[str]:
        """The part after `kind:` of all keys of that kind."""
        pattern = ROOT.replace("[", "\\[") + f"{kind}:*"
        return {key.removeprefix(f"{ROOT}{kind}:") for key in self.redis.keys(pattern)}

    def audit(self) -> None:
        """Every index says what the records say, and nothing is left of what is gone."""
        tasks = {name: self.redis.hgetall(f"{ROOT}task:{name}") for name in self.names("task")}
        self._audit_states(tasks)
        self._audit_counts(tasks)
        self._audit_lines(tasks)
        assert self.names("events") <= tasks.keys()
        holders = {self.redis.get(f"{ROOT}idem:{name}") for name in self.names("idem")}
        assert {str(holder).partition(" ")[0] for holder in holders} <= tasks.keys()

    def _audit_states(self, tasks: dict[str, Any]) -> None:
        of_state = {name: self._members(f"state:{name}") for name in self.names("state")}
        of_tenant = {name: self._members(f"of:{name}") for name in self.names("of")}
        assert _grouped(tasks, "state") == of_state
        assert _grouped(tasks, "owner") == of_tenant
        for kind, states in (("leases", ["running"]), ("due", ["delayed"]), ("expiring", ENDED)):
            there = set().union(*(of_state.get(state, set()) for state in states))
            assert self._members(kind) == there, kind

    def _audit_counts(self, tasks: dict[str, Any]) -> None:
        counts = self.redis.hgetall(f"{ROOT}counts")
        held = sum(len(t.get("payload", "")) + len(t.get("result", "")) for t in tasks.values())
        assert int(counts.pop("bytes", 0)) == held
        said = {name: int(n) for name, n in counts.items() if ":" in name and int(n)}
        assert said == Counter(f"{t['state']}:{t['class']}" for t in tasks.values())
        queued = {name: int(n) for name, n in self.redis.hgetall(f"{ROOT}queued").items()}
        waiting = ("pending", "delayed")
        assert queued == Counter(t["owner"] for t in tasks.values() if t["state"] in waiting)

    def _audit_lines(self, tasks: dict[str, Any]) -> None:
        in_line: dict[str, str] = {}
        for name in self.names("line"):
            entries = self.redis.xrange(f"{ROOT}line:{name}")
            assert entries, name
            [group] = self.redis.xinfo_groups(f"{ROOT}line:{name}")
            held = {
                entry["message_id"]
                for entry in self.redis.xpending_range(
                    f"{ROOT}line:{name}", "workers", "-", "+", 10_000
                )
            }
            again = self._members(f"again:{name}")
            fresh = [fields["id"] for at, fields in entries if at not in held]
            assert group["consumers"] <= 1
            assert held <= {at for at, _ in entries}
            for at, fields in entries:
                task = tasks[fields["id"]]
                assert task["entry"] == at
                assert (fields["id"] in again) == (at in held and task["state"] == "pending")
            if fresh or again:
                priority, _, owner = name.partition(":")
                assert owner in self._members(f"ring:{priority}")
            in_line |= {fields["id"]: name for _, fields in entries}
        assert in_line == {
            task_id: f"{task['class']}:{task['owner']}"
            for task_id, task in tasks.items()
            if task.get("entry")
        }
        ready = {name for name, task in tasks.items() if task["state"] in ("pending", "running")}
        assert ready <= in_line.keys()

    def _members(self, name: str) -> set[str]:
        return set(self.redis.zrange(ROOT + name, 0, -1))


def _grouped(tasks: dict[str, Any], field: str) -> dict[str, set[str]]:
    groups: dict[str, set[str]] = {}
    for name, task in tasks.items():
        groups.setdefault(task[field], set()).add(name)
    return groups
