"""Processes: known by id and start time, found by descent and marker, ended for sure."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from serve_app.cli.life import processes
from serve_app.cli.life.records import ProcessRecord

SLEEP = "import time; time.sleep(600)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "print('ready', flush=True); time.sleep(600)"
)


@contextmanager
def running(code: str, **environ: str) -> Iterator[subprocess.Popen[str]]:
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environ},
    )
    try:
        yield child
    finally:
        child.kill()
        child.wait()
        assert child.stdout is not None
        child.stdout.close()


def eventually(condition: Callable[[], bool], limit_s: float = 20.0) -> None:
    give_up_at = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < give_up_at, "it never came true"
        time.sleep(0.02)


def known(child: subprocess.Popen[str]) -> ProcessRecord:
    record = processes.identify(child.pid)
    assert record is not None
    return record


def test_a_process_is_alive_until_it_ends() -> None:
    with running(SLEEP) as child:
        record = known(child)
        assert processes.is_alive(record)
        child.kill()
        child.wait()
        assert not processes.is_alive(record)


def test_a_zombie_is_not_alive() -> None:
    with running("pass") as child:
        eventually(lambda: processes.identify(child.pid) is None)


def test_another_process_with_the_same_id_is_not_signalled() -> None:
    with running(SLEEP) as child:
        earlier = ProcessRecord(child.pid, known(child).started - 1)
        assert not processes.is_alive(earlier)
        assert not processes.send(earlier, signal.SIGKILL)
        assert child.poll() is None


def test_ending_tells_first_and_kills_who_does_not_listen() -> None:
    with running(SLEEP) as obedient, running(STUBBORN) as stubborn:
        assert stubborn.stdout is not None
        stubborn.stdout.readline()
        left = processes.end([known(obedient), known(stubborn)], patience_s=0.3)
        assert left == []
        assert obedient.wait() == -signal.SIGTERM
        assert stubborn.wait() == -signal.SIGKILL


def test_a_marked_process_is_found_by_its_environment() -> None:
    with running(SLEEP, **{processes.MARKER_ENV: "test-mark-1"}) as child:
        eventually(lambda: [p.pid for p in processes.marked("test-mark-1")] == [child.pid])
        assert processes.marked("test-mark") == []


SUBREAPER = """
import os, subprocess, sys, time
import psutil
from serve_app.cli.life import processes
processes.become_subreaper()
sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
parent = f"import subprocess; subprocess.Popen({sleep!r})"
subprocess.run([sys.executable, "-c", parent])
adopted = processes.descendants(os.getpid())
assert [psutil.Process(p.pid).ppid() for p in adopted] == [os.getpid()]
assert processes.end(adopted, patience_s=5) == []
processes.reap_adopted(set())
assert psutil.Process().children() == []
print("ended")
"""


@pytest.mark.timeout(60)
def test_a_subreaper_adopts_ends_and_reaps_orphans() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", SUBREAPER], capture_output=True, text=True, check=False, timeout=50
    )
    assert ran.stdout == "ended\n", ran.stderr
