"""What a killed supervisor left: ended if it is ours, left alone if it is not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from serve_app.cli.life import leftovers, processes
from serve_app.cli.life.instance import Instance
from serve_app.cli.life.records import ProcessRecord, State, save_record


@pytest.fixture
def sleepers() -> Iterator[list[subprocess.Popen[bytes]]]:
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    children = [subprocess.Popen(command) for _ in range(2)]
    yield children
    for child in children:
        child.kill()
        child.wait()


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    instance = Instance(tmp_path / "data")
    instance.make()
    return instance


def write(instance: Instance, *members: ProcessRecord, boot: str | None = None) -> None:
    state = State(
        boot_id=boot or processes.boot_id(),
        marker="nobody-has-this-marker",
        supervisor=ProcessRecord(1 << 22, 1),
        address="",
        files=[],
        processes=list(members),
    )
    save_record(instance.state, state)


def record(child: subprocess.Popen[bytes]) -> ProcessRecord:
    found = processes.identify(child.pid)
    assert found is not None
    return found


def test_recorded_processes_are_ended_and_others_are_not(
    instance: Instance, sleepers: list[subprocess.Popen[bytes]]
) -> None:
    ours, others = sleepers
    write(instance, record(ours))
    assert leftovers.clean(instance) == 1
    assert ours.wait(10) != 0
    assert others.poll() is None
    assert not instance.state.exists()


def test_a_process_that_has_the_id_by_chance_is_left_alone(
    instance: Instance, sleepers: list[subprocess.Popen[bytes]]
) -> None:
    child = sleepers[0]
    write(instance, ProcessRecord(child.pid, record(child).started + 1))
    assert leftovers.clean(instance) == 0
    assert child.poll() is None


def test_after_a_reboot_no_id_means_anything(
    instance: Instance, sleepers: list[subprocess.Popen[bytes]]
) -> None:
    write(instance, record(sleepers[0]), boot="another boot")
    assert leftovers.clean(instance) == 0
    assert sleepers[0].poll() is None


def test_only_a_folder_that_we_made_is_removed(tmp_path: Path) -> None:
    precious, ours = tmp_path / "precious", tmp_path / "serve-app-x1"
    precious.mkdir()
    (ours / "r" / "session_latest" / "logs").mkdir(parents=True)
    (ours / "r" / "session_latest" / "logs" / "a.log").write_text("said")
    leftovers.remove_runtime(str(precious), None)
    leftovers.remove_runtime(str(ours), tmp_path / "kept")
    leftovers.remove_runtime("", None)
    assert precious.is_dir()
    assert not ours.exists()
    assert (tmp_path / "kept" / "a.log").read_text() == "said"


def test_nothing_recorded_is_nothing_to_do(instance: Instance) -> None:
    assert leftovers.clean(instance) == 0


def test_one_owner_at_a_time(instance: Instance) -> None:
    lock = instance.acquire()
    assert lock is not None
    assert instance.is_owned()
    assert instance.acquire(0.05) is None
    os.close(lock)
    assert not instance.is_owned()


def test_the_token_stays_the_same_and_is_private(instance: Instance) -> None:
    token = instance.ray_token()
    assert len(token) == 64
    assert instance.ray_token() == token
    assert instance.token.stat().st_mode & 0o777 == 0o600
    assert instance.folder.stat().st_mode & 0o777 == 0o700
