"""`serve-app alerts` as a user runs it, against the routes of alerts over a real engine."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest
from cli_world import Command
from ingress.alerts_world import served_alerts
from provider.fixtures import ScriptedProvider

from serve_app.store.embedded import EmbeddedValkey

LIMIT_S = 60


@pytest.fixture
def gateway(
    command: Command,
    clean_valkey: EmbeddedValkey,
    provider: ScriptedProvider,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[str]:
    command.environ["SERVE_APP_ADMIN_KEY"] = "boss"
    monkeypatch.setenv("OPS_URL", f"http://127.0.0.1:{provider.port}/_reset")
    channels = [
        {"name": "ops", "kind": "webhook", "url_env": "OPS_URL"},
        {"name": "mute", "kind": "webhook", "url_env": "NOT_SET_ANYWHERE"},
    ]
    with served_alerts(clean_valkey.url, channels) as (_, address):
        yield address


def run(command: Command, address: str, *words: str) -> subprocess.CompletedProcess[str]:
    return command.run("alerts", *words, "--url", address, limit_s=LIMIT_S)


def test_alerts_are_seen_silenced_and_heard_again(command: Command, gateway: str) -> None:
    table = run(command, gateway, "list").stdout
    assert all(word in table for word in ("High", "critical", "firing", "[red]one", "is at 9"))
    assert "Lately:" in table
    assert "\x1b[2J" not in table
    assert "level > 5" in run(command, gateway, "rules").stdout

    words = ("alert=High", "backend=~.*one.*", "--for", "15m", "--reason", "it is known")
    made = json.loads(run(command, gateway, "silence", *words, "--json").stdout)
    assert made["author"] == "admin 0123"
    shown = run(command, gateway, "silence").stdout
    assert all(word in shown for word in (made["id"], "alert=High", "it is known", "admin 0123"))
    [alert] = json.loads(run(command, gateway, "list", "--json").stdout)["firing"]
    assert alert["silenced"]
    assert "is taken back" in run(command, gateway, "unsilence", made["id"]).stdout


def test_a_channel_is_tried_out(command: Command, gateway: str) -> None:
    assert run(command, gateway, "test", "ops").stdout == "ops took the message.\n"
    failed = run(command, gateway, "test", "mute")
    assert failed.returncode != 0
    assert "the environment variable NOT_SET_ANYWHERE is not set" in failed.stderr


def test_what_is_wrong_is_said_in_a_line(command: Command, gateway: str) -> None:
    wrong = run(command, gateway, "silence", "High")
    assert (wrong.returncode, wrong.stderr) == (
        2, "'High' is not LABEL=VALUE, like alert=BreakerOpen\n"
    )  # fmt: skip
    command.environ["SERVE_APP_ADMIN_KEY"] = "other"
    assert "Only an admin key" in run(command, gateway, "list").stderr
