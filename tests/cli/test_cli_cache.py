"""`serve-app cache` as a user runs it, against the cache's routes over a real Redis."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cache.cache_world import replica
from cli_world import Command
from ingress.pantry_world import World, served

from serve_app.core.kept import Lookup, Question
from serve_app.store.embedded import EmbeddedValkey

LIMIT_S = 60


@pytest.fixture
def gateway(command: Command, clean_valkey: EmbeddedValkey) -> Iterator[tuple[World, str]]:
    command.environ["SERVE_APP_API_KEY"] = "a-key"
    with served(clean_valkey.url) as gateway:
        yield gateway


def run(command: Command, address: str, *words: str) -> subprocess.CompletedProcess[str]:
    return command.run("cache", *words, "--url", address, limit_s=LIMIT_S)


def written(path: Path, *lines: dict[str, Any] | str) -> str:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("\n".join(texts))
    return str(path)


def test_warm_then_purge(command: Command, gateway: tuple[World, str], tmp_path: Path) -> None:
    world, address = gateway
    faq = written(
        tmp_path / "faq.jsonl",
        {"question": "Why?", "answer": "Because.", "tags": ["faq"]},
        "",
        {"question": "How?", "model": "smart", "system": "Be short."},
    )
    first = run(command, address, "warm", faq)
    assert (first.returncode, first.stdout) == (0, "2 stored, 0 already there, 0 failed\n")
    again = run(command, address, "warm", faq, "--json", "--concurrency", "1")
    assert json.loads(again.stdout) == {"stored": 0, "present": 2, "failed": []}
    asked = sorted(world.asked, key=lambda request: request.params.model)
    assert [request.params.model for request in asked] == ["auto", "smart"]
    roles = [[message.role for message in request.params.messages] for request in asked]
    assert roles == [["user"], ["system", "user"]]

    purged = run(command, address, "purge", "--tag", "faq")
    assert purged.stdout == "1 answers removed from every replica\n"
    refused = run(command, address, "purge", "--all")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "admin key" in refused.stderr
    command.environ["SERVE_APP_API_KEY"] = "boss"
    everything = run(command, address, "purge", "--all", "--json")
    assert json.loads(everything.stdout) == {"entries": 1}


def test_a_purge_says_what_it_means(command: Command, gateway: tuple[World, str]) -> None:
    ran = run(command, gateway[1], "purge")
    assert ran.returncode == 2
    assert "--all" in ran.stderr


def test_a_wrong_line_is_named_before_anything_is_sent(
    command: Command, gateway: tuple[World, str], tmp_path: Path
) -> None:
    world, address = gateway
    faq = written(
        tmp_path / "faq.jsonl",
        {"question": "Why?"},
        {"question": ""},
        "not JSON",
        {"question": "x", "anwser": "y"},
    )
    ran = run(command, address, "warm", faq)
    assert (ran.returncode, world.asked) == (2, [])
    assert "line 1" not in ran.stderr
    assert all(f"line {number}: " in ran.stderr for number in (2, 3, 4))
    missing = run(command, address, "warm", str(tmp_path / "none.jsonl"))
    empty = run(command, address, "warm", written(tmp_path / "empty.jsonl", "", ""))
    assert (missing.returncode, empty.returncode) == (2, 2)


def test_what_the_gateway_refuses_is_said_for_its_line(
    command: Command, gateway: tuple[World, str], tmp_path: Path
) -> None:
    long = {"question": "x" * 200_000, "answer": "y"}
    faq = written(tmp_path / "faq.jsonl", {"question": "Why?", "answer": "y"}, long)
    ran = run(command, gateway[1], "warm", faq, "--json")
    said = json.loads(ran.stdout)
    assert (ran.returncode, said["stored"]) == (1, 1)
    assert [failed["line"] for failed in said["failed"]] == [2]
    assert "at most 100000" in said["failed"][0]["error"]


def test_nobody_there_is_said(command: Command) -> None:
    ran = run(command, f"http://127.0.0.1:{command.port}", "top")
    assert ran.returncode == 1
    assert "does not answer" in ran.stderr


def test_top_shows_questions_harmlessly(
    command: Command, gateway: tuple[World, str], clean_valkey: EmbeddedValkey
) -> None:
    nothing = run(command, gateway[1], "top")
    assert nothing.stdout == "Nothing was asked yet.\n"
    _ask_often(clean_valkey, "\x1b[31m[red]Why?\n")
    shown = run(command, gateway[1], "top", "--limit", "5")
    assert "[31m[red]Why?" in shown.stdout
    assert "\x1b" not in shown.stdout
    asked = json.loads(run(command, gateway[1], "top", "--json").stdout)
    assert [(item["asked"], item["text"]) for item in asked] == [(3, "\x1b[31m[red]Why?\n")]


def _ask_often(valkey: EmbeddedValkey, text: str) -> None:
    """As another replica would count it."""
    asked = Lookup("f" * 64, "acme", question=Question("p", text))

    async def ask() -> None:
        async with replica(valkey.url) as cache:
            await cache.lookup([asked] * 3)

    asyncio.run(ask())
