"""CPU of one stretch by process, and inside one process by thread."""

from __future__ import annotations

import re
from collections.abc import Iterable

from benchmarks import proctree

_KINDS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("replica {0}", r"^ray::ServeReplica:[^:]*:([\w-]+)"),
        ("Serve controller", r"^ray::ServeController"),
        ("Serve proxy actor", r"^ray::(ProxyActor|HAProxyManager)"),
        ("HAProxy", r"haproxy"),
        ("Valkey", r"(valkey|redis)-server"),
        ("raylet", r"/raylet/raylet"),
        ("GCS", r"gcs_server"),
        ("Ray dashboard, agents, monitor", r"(dashboard|/_private/|autoscaler|ray::DashboardHead)"),
        ("idle Ray workers", r"^ray::IDLE"),
        ("supervisor", r"serve_app\.cli"),
        ("Ray, other", r"(/ray\b|\bray[.:])"),
    )
)
OTHER = "other"
Snapshot = dict[int, tuple[str, float]]
"""Pid to its kind and CPU seconds."""


def kind(command_line: str) -> str:
    """What a process of the gateway is, from its command line (Ray rewrites its workers')."""
    for name, pattern in _KINDS:
        matched = pattern.search(command_line)
        if matched:
            return name.format(*matched.groups())
    return OTHER


def by_process(roots: Iterable[int]) -> Snapshot:
    """CPU seconds so far of every process below the roots."""
    return {pid: (kind(_command_line(pid)), _seconds(str(pid))) for pid in proctree.tree(roots)}


def by_thread(pid: int) -> dict[int, float]:
    """CPU seconds so far of every thread of a process, by thread id."""
    threads = [int(entry.name) for entry in (proctree.PROC / str(pid) / "task").iterdir()]
    return {thread: _seconds(f"{pid}/task/{thread}") for thread in threads}


def spent(before: Snapshot, after: Snapshot) -> dict[str, float]:
    """CPU seconds by kind between two snapshots; who came in between counts from nothing."""
    found: dict[str, float] = {}
    for number, (name, seconds) in after.items():
        earlier = before[number][1] if number in before else 0.0
        found[name] = found.get(name, 0.0) + seconds - earlier
    return found


def find(roots: Iterable[int], name: str) -> int | None:
    """Pid of the first process of that kind."""
    return next((pid for pid in proctree.tree(roots) if kind(_command_line(pid)) == name), None)


def _command_line(pid: int) -> str:
    try:
        raw = (proctree.PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return ""
    return raw.replace(b"\0", b" ").decode("utf-8", "replace").strip()


def _seconds(place: str) -> float:
    fields = proctree.stat_fields(place)
    return sum(map(int, fields[11:13])) / proctree.TICKS_PER_S
