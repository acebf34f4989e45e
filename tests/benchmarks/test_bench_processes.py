"""CPU and memory of real process trees, and their end."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import cost, proctree, stacks
from benchmarks.launch import Program, Programs, lives, living
from benchmarks.ports import PortTakenError, first_free, require_free
from benchmarks.profile import UNSAMPLED, by_layer

SPENDS_CPU = (
    "import time\nwhile time.process_time() < 0.3: pass\nprint('spent', flush=True)\ninput()"
)
PARENT = "import subprocess, sys\nsubprocess.run([sys.executable, '-c', sys.argv[1]], check=False)"


@pytest.fixture
def parent() -> Iterator[subprocess.Popen[str]]:
    """A process whose child has used 0.3 s of CPU and waits."""
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT, SPENDS_CPU],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "spent\n"
    yield process
    process.communicate("\n", timeout=20)


def test_tree_holds_child_and_its_cpu(parent: subprocess.Popen[str]) -> None:
    assert len(proctree.tree([parent.pid])) == 2
    assert proctree.cpu_s([parent.pid]) >= 0.2


def test_memory_of_a_tree_is_more_than_of_its_root(parent: subprocess.Popen[str]) -> None:
    assert proctree.pss_mb([parent.pid]) > 1


def test_cpu_of_a_reaped_child_stays_counted() -> None:
    code = f"{PARENT}\nprint('reaped', flush=True)\ninput()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, SPENDS_CPU.replace("input()", "")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert [process.stdout.readline() for _ in range(2)] == ["spent\n", "reaped\n"]
    assert len(proctree.tree([process.pid])) == 1
    assert proctree.cpu_s([process.pid]) >= 0.2
    process.communicate("\n", timeout=20)


def test_tree_of_a_process_that_is_gone_is_empty() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait(20)
    assert proctree.tree([process.pid]) == []
    assert proctree.cpu_s([process.pid]) == 0


def test_stop_ends_a_program_and_what_it_started(tmp_path: Path) -> None:
    stubborn = "import signal, time\nsignal.signal(15, signal.SIG_IGN)\ntime.sleep(600)"
    mark = tmp_path / "started"
    parent = (
        "import subprocess, sys, time, pathlib\n"
        "subprocess.Popen([sys.executable, '-c', sys.argv[1]])\n"
        "pathlib.Path(sys.argv[2]).touch()\ntime.sleep(600)"
    )
    programs = Programs(
        Program([sys.executable, "-c", parent, stubborn, str(mark)], tmp_path, ports=())
    )
    with (tmp_path / "log").open("wb") as log:
        programs.start(log)
        while not mark.exists():
            assert not programs.failed()
            time.sleep(0.01)
        below = living(programs.roots())
        programs.stop()
    assert len(below) == 2
    assert not any(map(lives, below))


def test_port_that_somebody_listens_on_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(PortTakenError, match=str(port)):
            require_free(port)
        with socket.socket() as unheard:
            unheard.bind(("127.0.0.1", 0))
            free = unheard.getsockname()[1]
            assert first_free([port, free]) == free


def test_spent_counts_newcomers_from_nothing() -> None:
    before = {1: ("replica Gateway", 1.0)}
    after = {1: ("replica Gateway", 3.5), 2: ("HAProxy", 0.5), 3: ("HAProxy", 0.25)}
    assert cost.spent(before, after) == {"replica Gateway": 2.5, "HAProxy": 0.75}


@pytest.mark.parametrize(
    ("command_line", "expected"),
    [
        ("ray::ServeReplica:gateway:Gateway", "replica Gateway"),
        ("ray::ServeReplica:gateway:Backend-mock", "replica Backend-mock"),
        ("/x/haproxy -W -f haproxy.cfg", "HAProxy"),
        ("/x/ray/core/src/ray/raylet/raylet --raylet_socket_name=y", "raylet"),
        ("something else", "other"),
    ],
)
def test_kind_of_a_process(command_line: str, expected: str) -> None:
    assert cost.kind(command_line) == expected


def test_sample_belongs_to_the_innermost_package() -> None:
    through_json = (
        "thread (7): loop;run (/v/site-packages/ray/serve/x.py:1);"
        "answer (/r/serve_app/pipeline.py:4);dumps (/usr/lib/python3.11/json/__init__.py:2) 2"
    )
    lines = [
        through_json,
        "thread (7): loop;run (/v/site-packages/uvloop/x.py:1);chat (/r/serve_app/ingress/a.py) 3",
        "thread (7): loop;app (/r/serve_app/pipeline.py:4);send (/v/site-packages/aiohttp/c.py) 4",
        "thread (7): loop;run (/usr/lib/python3.11/asyncio/events.py:1) 1",
        "thread (8): main;wait (/v/site-packages/ray/_private/worker.py:1) 5",
    ]
    assert stacks.layers(lines) == {
        7: {"own: ingress": 3, "own: pipeline": 2, "aiohttp client": 4, stacks.LOOP: 1},
        8: {"Ray core": 5},
    }


def test_time_of_a_thread_is_divided_as_its_samples_are() -> None:
    micros = by_layer({7: 300.0, 9: 50.0}, {7: {"own: ingress": 1, "aiohttp client": 2}})
    assert micros == {"own: ingress": 100.0, "aiohttp client": 200.0, UNSAMPLED: 50.0}
