"""`serve-app keys` as a user runs it, against the routes of keys over a real Redis."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterator

import pytest
from cli_world import Command
from ingress.keys_world import KeysWorld, served_keys

from serve_app.cli import key_words
from serve_app.cli.failure import Failure
from serve_app.core import api_key
from serve_app.store.embedded import EmbeddedValkey

LIMIT_S = 60
NOW = 1_800_000_000.0


@pytest.fixture
def gateway(command: Command, clean_valkey: EmbeddedValkey) -> Iterator[tuple[KeysWorld, str]]:
    command.environ["SERVE_APP_ADMIN_KEY"] = "boss"
    with served_keys(clean_valkey.url) as gateway:
        yield gateway


def run(command: Command, address: str, *words: str) -> subprocess.CompletedProcess[str]:
    return command.run("keys", *words, "--url", address, limit_s=LIMIT_S)


def test_a_key_from_its_making_to_its_end(command: Command, gateway: tuple[KeysWorld, str]) -> None:
    world, address = gateway
    nothing = run(command, address, "list")
    assert (nothing.returncode, nothing.stdout) == (0, "There are no keys yet.\n")

    limits = ("--limit", "requests_per_minute=60", "--limit", "budget.month=0.5")
    terms = ("--user", "ann", "--model", "gpt-*", "--model", "auto", "--expires", "30d", *limits)
    made = run(command, address, "create", "--tenant", "acme", *terms)
    assert made.returncode == 0, made.stderr
    key = made.stdout.strip()
    assert api_key.is_whole(key)
    assert world.knows(key)
    assert "will not be shown again" in made.stderr
    assert key not in made.stderr

    [listed] = json.loads(run(command, address, "list", "--json").stdout)
    key_id = listed["id"]
    assert listed["limits"] == {"requests_per_minute": 60, "budget": {"month": 0.5}}
    assert (listed["models"], listed["user"]) == (["gpt-*", "auto"], "ann")
    assert listed["expires_at"] == pytest.approx(listed["created_at"] + 30 * 86400, abs=60)
    shown = run(command, address, "show", key_id)
    assert "budget.month=0.5" in shown.stdout
    assert key not in shown.stdout

    changed = run(command, address, "change", key_id, "--note", "[red]ann's", "--json")
    assert json.loads(changed.stdout)["note"] == "[red]ann's"
    table = run(command, address, "list", "--tenant", "acme").stdout
    assert all(word in table for word in (key_id, "acme", "ann", "good", "[red]ann's"))

    rotated = run(command, address, "rotate", key_id, "--grace", "1h")
    new = rotated.stdout.strip()
    assert (world.knows(key), world.knows(new)) == (True, True)
    assert run(command, address, "disable", key_id).returncode == 0
    assert (world.knows(key), world.knows(new)) == (False, True)
    assert "disabled" in run(command, address, "list").stdout
    assert run(command, address, "enable", key_id).returncode == 0
    assert world.knows(key)
    assert run(command, address, "delete", key_id).returncode == 0
    gone = run(command, address, "show", key_id)
    assert (gone.returncode, gone.stdout) == (1, "")
    assert key_id in gone.stderr


def test_who_has_no_admin_key_is_told(command: Command, gateway: tuple[KeysWorld, str]) -> None:
    del command.environ["SERVE_APP_ADMIN_KEY"]
    command.environ["SERVE_APP_API_KEY"] = "a-key"
    refused = run(command, gateway[1], "list")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "admin key" in refused.stderr


def test_what_the_gateway_refuses_is_said(command: Command, gateway: tuple[KeysWorld, str]) -> None:
    refused = run(command, gateway[1], "create", "--tenant", "acme", "--limit", "rpm=1")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "limits.rpm" in refused.stderr
    nothing = run(command, gateway[1], "change", "0123456789ab")
    assert nothing.returncode == 2
    odd = run(command, gateway[1], "show", "../cache")
    assert odd.returncode == 1
    assert "There is no" in odd.stderr


def test_an_admin_key_is_made_without_a_gateway(command: Command) -> None:
    said = json.loads(command.run("keys", "admin", "--json", limit_s=LIMIT_S).stdout)
    assert api_key.is_whole(said["key"])
    assert said["sha256"] == hashlib.sha256(said["key"].encode()).hexdigest()
    shown = command.run("keys", "admin", limit_s=LIMIT_S)
    key = shown.stdout.strip()
    assert api_key.is_whole(key)
    assert hashlib.sha256(key.encode()).hexdigest() in shown.stderr


@pytest.mark.parametrize(
    ("text", "unix"),
    [
        ("never", 0),
        ("30d", NOW + 30 * 86400),
        ("90s", NOW + 90),
        ("2027-01-15", 1_799_971_200),
        ("2027-01-15T08:00:00+08:00", 1_799_971_200),
    ],
)
def test_moments(text: str, unix: float) -> None:
    assert key_words.moment(text, NOW) == unix


@pytest.mark.parametrize("text", ["", "soon", "30", "-1d", "1y", "2027-13-01", "30d "])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(Failure):
        key_words.moment(text, NOW)


def test_limits_are_numbers_where_they_are() -> None:
    terms = ["parallel=2", "budget.month=0.25", "budget.at_soft=cheaper"]
    found = {"parallel": 2, "budget": {"month": 0.25, "at_soft": "cheaper"}}
    assert key_words.limits(terms) == found


@pytest.mark.parametrize(
    "terms", [[""], ["parallel"], ["=1"], ["parallel="], [".x=1"], ["budget=1", "budget.day=2"]]
)
def test_what_is_no_limit(terms: list[str]) -> None:
    with pytest.raises(Failure):
        key_words.limits(terms)
