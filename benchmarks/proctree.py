"""CPU seconds and proportional memory of process trees, read from /proc."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PROC = Path("/proc")


def tree(roots: Iterable[int]) -> list[int]:
    """The roots that live, and everything below them."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir(PROC):
        if entry.isdigit():
            fields = stat_fields(entry)
            if fields:
                children.setdefault(int(fields[1]), []).append(int(entry))
    found: dict[int, None] = {}
    waiting = list(roots)
    while waiting:
        pid = waiting.pop()
        if pid not in found and (PROC / str(pid)).exists():
            found[pid] = None
            waiting += children.get(pid, [])
    return list(found)


def cpu_s(roots: Iterable[int]) -> float:
    """User and system seconds of every process in the trees, reaped children included."""
    return sum(sum(map(int, stat_fields(str(pid))[11:15])) for pid in tree(roots)) / TICKS_PER_S


def pss_mb(roots: Iterable[int]) -> float:
    """Proportional memory in MB (10^6): a page that n processes share counts 1/n for each."""
    return round(sum(map(_pss_bytes, tree(roots))) / 1e6, 1)


def names(roots: Iterable[int]) -> dict[int, str]:
    """Pid to the kernel's short name of the process."""
    found = {}
    for pid in tree(roots):
        try:
            found[pid] = (PROC / str(pid) / "comm").read_text().strip()
        except OSError:
            continue
    return found


def stat_fields(place: str) -> list[str]:
    """Fields of /proc/PLACE/stat from the state on; empty once it is gone.

    The name before them may hold spaces and parentheses: the last `)` ends it.
    """
    try:
        text = (PROC / place / "stat").read_text()
    except OSError:
        return []
    return text[text.rindex(")") + 2 :].split()


def _pss_bytes(pid: int) -> int:
    try:
        for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0
