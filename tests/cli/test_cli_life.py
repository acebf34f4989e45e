"""A gateway's life on this machine, with a real Ray, HAProxy and Valkey: up, down, and accidents.

A stand-in application takes the gateway's place: what is tested is that everything starts, says
what it does, and leaves nothing behind, however it ends.
"""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_world import Command

from serve_app.cli.life import ports, processes
from serve_app.cli.life.records import ProcessRecord, State, load_record

pytestmark = [pytest.mark.graph, pytest.mark.timeout(400)]

CONFIG = """\
http_options: {host: 127.0.0.1}
logging_config: {enable_access_log: false}
applications:
  - name: gateway
    route_prefix: /
    import_path: standin:BUILD
    args: {}
    deployments:
      - name: Gateway
        user_config: {greeting: hello}
        ray_actor_options: {num_cpus: 0.1}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "standin.yaml"
    path.write_text(CONFIG.replace("BUILD", "build"))
    return path


def state_of(command: Command) -> State:
    state = load_record(command.folder / "state.json", State)
    assert state is not None
    return state


def family(command: Command) -> list[ProcessRecord]:
    """The supervisor and everything below it."""
    supervisor = state_of(command).supervisor
    return [supervisor, *processes.descendants(supervisor.pid)]


def assert_nothing_is_left(command: Command, before: list[ProcessRecord], state: State) -> None:
    assert before
    eventually(lambda: not any(processes.is_alive(p) for p in before), limit_s=5)
    assert processes.marked(state.marker) == []
    assert [port for port in state.ports.values() if not ports.is_free("0.0.0.0", port)] == []
    assert not Path(state.runtime).exists()
    assert not (command.folder / "state.json").exists()


def eventually(condition: Callable[[], Any], limit_s: float = 60.0) -> Any:
    give_up_at = time.monotonic() + limit_s
    while not (value := condition()):
        assert time.monotonic() < give_up_at, "it never came true"
        time.sleep(0.1)
    return value


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=30) as response:
        return json.loads(response.read())


def test_a_whole_life(command: Command, config: Path) -> None:
    up = command.run("up", "--config", str(config))
    assert up.returncode == 0, up.stderr
    assert f"Ready at {command.address}" in up.stdout
    _the_printed_curl_works(up.stdout)
    _it_shows_its_status(command)
    _a_second_up_says_so(command, config)
    _a_reload_changes_the_policy_in_place(command, config)
    _a_killed_valkey_comes_back(command)
    _another_gateway_lives_beside_it(command, config)
    _what_a_killed_supervisor_leaves_is_found_and_ended(command)


def _the_printed_curl_works(printed: str) -> None:
    line = next(line.strip() for line in printed.splitlines() if line.strip().startswith("curl "))
    ran = subprocess.run(shlex.split(line), capture_output=True, text=True, check=True, timeout=30)
    assert json.loads(ran.stdout)["path"] == "/v1/chat/completions"


def _it_shows_its_status(command: Command) -> None:
    ran = command.run("status", "--json")
    view = json.loads(ran.stdout)
    assert ran.returncode == 0
    assert (view["phase"], view["address"]) == ("ready", command.address)
    assert view["gateway"]["path"] == "/health/readiness"


def _a_second_up_says_so(command: Command, config: Path) -> None:
    again = command.run("up", "--config", str(config))
    assert again.returncode == 1
    assert "Already running" in again.stderr
    assert get(f"{command.address}/")["path"] == "/"


def _a_reload_changes_the_policy_in_place(command: Command, config: Path) -> None:
    before = get(f"{command.address}/")
    config.write_text(config.read_text().replace("hello", "changed"))
    assert command.run("reload").returncode == 0
    after = eventually(lambda: _with_greeting(command, "changed"))
    assert after["pid"] == before["pid"]
    config.write_text("applications: [")
    refused = command.run("reload")
    assert refused.returncode == 2
    assert "the old configuration stays" in refused.stderr
    assert get(f"{command.address}/")["policy"]["greeting"] == "changed"
    config.write_text(CONFIG.replace("BUILD", "build"))


def _with_greeting(command: Command, greeting: str) -> Any:
    view = get(f"{command.address}/")
    return view if view["policy"]["greeting"] == greeting else None


def _a_killed_valkey_comes_back(command: Command) -> None:
    old = next(p for p in family(command) if p.name == "valkey-server")
    assert processes.send(old, signal.SIGKILL)
    eventually(
        lambda: [p for p in family(command) if p.name == "valkey-server" and p.pid != old.pid]
    )


def _another_gateway_lives_beside_it(command: Command, config: Path) -> None:
    other = Command(command.folder.with_name("other"))
    child = other.start("up", "--foreground", "--config", str(config))
    try:
        _until_it_stays(child)
        assert get(f"{other.address}/")["pid"] != get(f"{command.address}/")["pid"]
        _down_lets_a_running_stream_finish(other)
        out, err = child.communicate(timeout=60)
        assert child.returncode == 0, err
        assert "nothing is left behind" in out
    finally:
        child.kill()
        other.run("down", "--now")
    assert get(f"{command.address}/")["path"] == "/"


def _until_it_stays(child: subprocess.Popen[str]) -> None:
    assert child.stdout is not None
    for line in child.stdout:
        if line.startswith("Ctrl-C ends it"):
            return
    raise AssertionError(child.communicate()[1])


def _down_lets_a_running_stream_finish(command: Command) -> None:
    state, before = state_of(command), family(command)
    got: list[bytes] = []
    began = threading.Event()
    reader = threading.Thread(target=_read_slowly, args=(f"{command.address}/slow", got, began))
    reader.start()
    assert began.wait(30)
    down = command.run("down")
    reader.join(60)
    assert down.returncode == 0, down.stderr
    assert "nothing is left behind" in down.stdout
    assert got[-1] == b"end\n"
    assert_nothing_is_left(command, before, state)
    assert command.run("status").returncode == 1


def _read_slowly(url: str, got: list[bytes], began: threading.Event) -> None:
    with urllib.request.urlopen(url, timeout=60) as response:
        for line in response:
            got.append(line)
            began.set()


def _what_a_killed_supervisor_leaves_is_found_and_ended(command: Command) -> None:
    state, before = state_of(command), family(command)
    assert processes.send(state.supervisor, signal.SIGKILL)
    eventually(lambda: not processes.is_alive(state.supervisor))
    assert json.loads(command.run("status", "--json").stdout)["phase"] == "orphaned"
    assert get(f"{command.address}/")["path"] == "/"  # it still answers
    down = command.run("down")
    assert down.returncode == 0
    assert "supervisor was killed" in down.stdout
    assert_nothing_is_left(command, before, state)


def test_ctrl_c_during_the_start_leaves_nothing(command: Command, config: Path) -> None:
    child = command.start("up", "--foreground", "--config", str(config))
    state = eventually(lambda: load_record(command.folder / "state.json", State))
    before = eventually(lambda: _with_ray(command))
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=120)
    assert child.returncode == 130, (out, err)
    assert "nothing is left behind" in err
    assert_nothing_is_left(command, before, state)


def _with_ray(command: Command) -> list[ProcessRecord]:
    """The family once Ray's control store is in it."""
    members = family(command)
    return members if any(p.name == "gcs_server" for p in members) else []


def test_an_application_that_fails_is_named_and_nothing_is_left(
    command: Command, config: Path
) -> None:
    config.write_text(CONFIG.replace("BUILD", "build_broken"))
    child = command.start("up", "--config", str(config))
    state = eventually(lambda: load_record(command.folder / "state.json", State))
    before = eventually(lambda: _with_ray(command))
    _, err = child.communicate(timeout=200)
    assert child.returncode == 1
    assert err.strip() == (
        "Application 'gateway' does not start: RuntimeError: this application is broken on purpose"
    )
    assert_nothing_is_left(command, before, state)
