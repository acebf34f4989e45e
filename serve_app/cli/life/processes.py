"""Processes by id and start time: whose they are, and how they are ended without mistake."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

from serve_app.cli.failure import Failure
from serve_app.cli.life.records import ProcessRecord

MARKER_ENV = "SERVE_APP_INSTANCE"
_PR_SET_CHILD_SUBREAPER = 36
_POLL_S = 0.05


def boot_id() -> str:
    """Changes with every boot, after which process ids mean nothing."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def become_subreaper() -> None:
    """Adopt every descendant whose parent dies, so that none is out of reach."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise Failure(f"prctl failed: {os.strerror(ctypes.get_errno())}")


def identify(pid: int) -> ProcessRecord | None:
    """The process with this id, None if there is none or it is a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The name stands in parentheses and may hold any character, also parentheses.
    name, _, rest = stat.partition("(")[2].rpartition(")")
    fields = rest.split()
    if not fields or fields[0] in "ZX":
        return None
    return ProcessRecord(pid, int(fields[19]), name)


def is_alive(process: ProcessRecord) -> bool:
    now = identify(process.pid)
    return now is not None and now.started == process.started


def descendants(pid: int) -> list[ProcessRecord]:
    """Every living process below `pid`."""
    with suppress(psutil.NoSuchProcess):
        below = psutil.Process(pid).children(recursive=True)
        return [p for child in below if (p := identify(child.pid)) is not None]
    return []


def marked(marker: str) -> list[ProcessRecord]:
    """Every process of this user that was started with `marker` in its environment."""
    wanted = f"{MARKER_ENV}={marker}".encode()
    found = []
    for pid in psutil.pids():
        with suppress(OSError):
            environment = Path(f"/proc/{pid}/environ").read_bytes()
            if wanted in environment.split(b"\0") and (process := identify(pid)) is not None:
                found.append(process)
    return found


def end(processes: Iterable[ProcessRecord], *, patience_s: float) -> list[ProcessRecord]:
    """End processes: SIGTERM, and SIGKILL for those that live after `patience_s`.

    Returns:
        Those that live even then (in uninterruptible sleep).
    """
    left = _signal_and_wait(list(processes), signal.SIGTERM, patience_s)
    return _signal_and_wait(left, signal.SIGKILL, 5.0)


def _signal_and_wait(
    processes: list[ProcessRecord], what: signal.Signals, limit_s: float
) -> list[ProcessRecord]:
    for process in processes:
        send(process, what)
    give_up_at = time.monotonic() + limit_s
    left = [p for p in processes if is_alive(p)]
    while left and time.monotonic() < give_up_at:
        time.sleep(_POLL_S)
        left = [p for p in left if is_alive(p)]
    return left


def send(process: ProcessRecord, what: signal.Signals) -> bool:
    """Signal exactly this process, never a later one with its id; False if it is gone."""
    try:
        handle = os.pidfd_open(process.pid)
    except OSError:
        return False
    try:
        # The handle is of whoever has the id now; what it is does not change from here on.
        if not is_alive(process):
            return False
        signal.pidfd_send_signal(handle, what)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def reap_adopted(own: set[int]) -> None:
    """Collect dead children that we adopted; `own` are those that a Popen object waits for."""
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess, ChildProcessError):
            if child.pid not in own and child.status() == psutil.STATUS_ZOMBIE:
                os.waitpid(child.pid, os.WNOHANG)
