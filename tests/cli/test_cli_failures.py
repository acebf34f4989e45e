"""What a user sees when a start cannot be: one clear line, exit code 1 or 2, nothing started."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest
from cli_world import Command

ROOT = Path(__file__).parents[2]


def refused(command: Command, *arguments: str) -> tuple[int, str]:
    """Exit code and the one line on standard error; nothing is left behind."""
    ran = command.run(*arguments, limit_s=60)
    assert "Traceback" not in ran.stderr + ran.stdout
    assert not (command.folder / "state.json").exists()
    assert ran.stdout == ""
    return ran.returncode, ran.stderr.strip()


def test_a_taken_port_is_named(command: Command) -> None:
    command.environ["OPENAI_API_KEY"] = "k"
    with socket.socket() as server:
        server.bind(("127.0.0.1", command.port))
        server.listen(1)
        code, line = refused(command, "up")
    assert code == 1
    assert line.startswith(f"Port {command.port} is taken by")
    assert str(os.getpid()) in line
    assert len(line.splitlines()) == 1


def test_a_broken_file_is_named_with_its_line(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("http_options:\n  port: [8000\n")
    code, line = refused(command, "up", "--config", str(path))
    assert code == 2
    assert line.startswith(f"{path}:3: is not YAML")


def test_a_wrong_value_is_named_with_its_path_and_line(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    text = (ROOT / "configs" / "personal.yaml").read_text()
    path.write_text(text.replace("require_key: false", "require_key: maybe"))
    number = next(i for i, t in enumerate(path.read_text().splitlines(), 1) if "maybe" in t)
    code, line = refused(command, "up", "--config", str(path))
    assert code == 2
    where = "applications[0].deployments[0].user_config.admission.require_key"
    assert line.startswith(f"{path}:{number}: {where}: ")


def test_a_file_that_is_not_there_is_named(command: Command) -> None:
    code, line = refused(command, "up", "--config", "nowhere.yaml")
    assert (code, line) == (2, "There is no configuration file 'nowhere.yaml'")


def test_a_shipped_overlay_is_found_by_its_name(command: Command) -> None:
    ran = command.run(
        "doctor", "--config", "enterprise", "--overlay", "small-machine", "--json", limit_s=60
    )
    findings = {f["name"]: f for f in json.loads(ran.stdout)}
    assert findings["Redis"]["detail"] == "embedded"


def test_a_data_folder_that_cannot_be_written_is_named(command: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    command.environ["SERVE_APP_DATA_DIR"] = str(tmp_path / "file" / "data")
    code, line = refused(command, "up")
    assert code == 1
    assert str(tmp_path / "file" / "data") in line


def test_a_redis_that_is_away_is_named(command: Command) -> None:
    command.environ["SERVE_APP_REDIS_URL"] = "redis://127.0.0.1:1/0"
    code, line = refused(command, "up", "--config", "small-team")
    assert code == 1
    assert line.startswith("Redis does not answer (redis://127.0.0.1:1/0:")


def test_an_unknown_option_is_a_usage_error(command: Command) -> None:
    ran = command.run("up", "--prot", "1", limit_s=60)
    assert ran.returncode == 2
    assert "--prot" in ran.stderr


@pytest.mark.parametrize("name", ["chat", "reload"])
def test_without_a_gateway_a_command_says_how_to_start_one(command: Command, name: str) -> None:
    code, line = refused(command, name)
    assert code == 1
    assert "serve-app up" in line


def test_down_without_a_gateway_is_no_error(command: Command) -> None:
    ran = command.run("down", limit_s=60)
    assert ran.returncode == 0
    assert ran.stdout.startswith("Nothing runs in ")


def test_status_without_a_gateway_says_so_and_fails(command: Command) -> None:
    ran = command.run("status", "--json", limit_s=60)
    assert ran.returncode == 1
    assert json.loads(ran.stdout)["phase"] == "stopped"


def test_the_doctor_lists_what_is_there_and_what_is_missing(command: Command) -> None:
    command.environ["OPENAI_API_KEY"] = "k"
    with socket.socket() as server:
        server.bind(("127.0.0.1", command.port))
        server.listen(1)
        ran = command.run("doctor", "--json", limit_s=60)
    findings = {f["name"]: f for f in json.loads(ran.stdout)}
    assert ran.returncode == 1
    assert findings["Port"]["verdict"] == "missing"
    assert findings["Python"]["verdict"] == findings["Ray"]["verdict"] == "ok"
    assert findings["Backend openai"]["verdict"] == "ok"
    assert "DEEPSEEK_API_KEY" in findings["Backend deepseek"]["detail"]


def test_help_has_examples_and_the_version_is_ours(command: Command) -> None:
    from serve_app import __version__

    assert "serve-app up --foreground" in command.run("up", "--help", limit_s=60).stdout
    assert command.run("--version", limit_s=60).stdout.strip() == f"serve-app {__version__}"
