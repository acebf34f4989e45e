"""`serve-app tasks` as a user runs it, against the routes of tasks over a real queue."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterator

import pytest
from cli_world import Command
from ingress.tasks_world import TasksWorld, served_tasks

from serve_app.cli.task_table import span
from serve_app.store.embedded import EmbeddedValkey
from serve_app.tasks.base import NewTask

LIMIT_S = 60


@pytest.fixture
def gateway(command: Command, clean_valkey: EmbeddedValkey) -> Iterator[str]:
    command.environ["SERVE_APP_ADMIN_KEY"] = "boss"
    with served_tasks(clean_valkey.url) as (_, address):
        yield address


def run(command: Command, address: str, *words: str) -> subprocess.CompletedProcess[str]:
    return command.run("tasks", *words, "--url", address, limit_s=LIMIT_S)


async def prepare(url: str) -> list[str]:
    """Two dead tasks and one that waits, the latter of another tenant."""
    world = TasksWorld(url)
    made = []
    for label in ("[red]one", "two"):
        new = NewTask("job", b"secret", "acme", label=label, max_retries=0)
        made.append((await world.queue.submit(new)).view.id)
        [claim] = await world.queue.take("w1", 1)
        await world.queue.fail(claim, "busy", "all is \x1b[2Jbusy", retry=True)
    made.append((await world.queue.submit(NewTask("job", b"secret", "zeta"))).view.id)
    await world.close()
    return made


def test_tasks_are_seen_tried_again_cancelled_and_purged(
    command: Command, gateway: str, clean_valkey: EmbeddedValkey
) -> None:
    nothing = run(command, gateway, "list")
    assert (nothing.returncode, nothing.stdout) == (0, "There are no such tasks.\n")
    one, two, other = asyncio.run(prepare(clean_valkey.url))

    table = run(command, gateway, "list").stdout
    assert all(word in table for word in (one, two, other, "acme", "zeta", "dead", "1/1", "busy"))
    listed = run(command, gateway, "list", "--state", "dead", "--tenant", "acme", "--json")
    assert [task["id"] for task in json.loads(listed.stdout)] == [two, one]

    shown = run(command, gateway, "show", one).stdout
    assert all(word in shown for word in ("[red]one", "1 of at most 1", "w1", "busy: all is"))
    assert "\x1b[2J" not in shown
    assert "secret" not in shown

    assert run(command, gateway, "retry", one).stdout == f"{one} is pending\n"
    assert run(command, gateway, "retry", "--all-dead").stdout == f"{two} is pending\n"
    refused = run(command, gateway, "retry", two)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "pending" in refused.stderr

    cancelled = run(command, gateway, "cancel", one, two, "--json")
    assert [task["state"] for task in json.loads(cancelled.stdout)] == ["cancelled"] * 2

    asked = command.start("tasks", "purge", "--state", "cancelled", "--url", gateway)
    assert asked.communicate("n\n", timeout=LIMIT_S)[0].strip() == ""
    assert asked.returncode == 1
    terms = ("--state", "cancelled", "--older-than", "0s", "--yes")
    assert run(command, gateway, "purge", *terms).stdout == "2 tasks are gone.\n"
    [left] = json.loads(run(command, gateway, "list", "--json").stdout)
    assert left["id"] == other


def test_who_is_no_admin_sees_the_own_tenants_tasks(
    command: Command, gateway: str, clean_valkey: EmbeddedValkey
) -> None:
    *_, other = asyncio.run(prepare(clean_valkey.url))
    del command.environ["SERVE_APP_ADMIN_KEY"]
    command.environ["SERVE_APP_API_KEY"] = "z-key"
    [mine] = json.loads(run(command, gateway, "list", "--json").stdout)
    assert mine["id"] == other
    refused = run(command, gateway, "purge", "--state", "dead", "-y")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "admin key" in refused.stderr


def test_usage_that_is_wrong_is_said(command: Command) -> None:
    for words in (["retry"], ["purge", "--older-than", "soon", "-y"]):
        assert command.run("tasks", *words, limit_s=LIMIT_S).returncode == 2


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.04, "0.0s"), (59, "59s"), (3661, "1h 1m"), (90061, "1d 1h"), (-5, "0.0s"), (60, "1m")],
)
def test_spans_are_short(seconds: float, said: str) -> None:
    assert span(seconds) == said
