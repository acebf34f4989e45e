"""Every command of the documentation is run, or named here with the test that runs it."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from instances import ROOT, Instance

pytestmark = [pytest.mark.graph, pytest.mark.timeout(700)]

ELSEWHERE = {
    "make serve": "tests/graph/conftest.py",
    "make test": ".ci/run",
    "serve-app up": "tests/graph/conftest.py",
    "serve-app down": "tests/graph/conftest.py",
}
"""Commands that start or end what this test stands on, and who runs them."""

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def commands(page: Path) -> list[str]:
    blocks = re.findall(
        r"^```sh\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    return [line for block in blocks for line in block.splitlines() if line.strip()]


ALL = sorted({command for page in PAGES for command in commands(page)})


def test_there_are_commands_to_run() -> None:
    assert len(ALL) >= 8
    assert all((ROOT / where).is_file() for where in ELSEWHERE.values())


@pytest.fixture(scope="session")
def workplace(personal: Instance, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the pages speak of."""
    folder = tmp_path_factory.mktemp("docs")
    shutil.copy(ROOT / "tests/data/router_labels.jsonl", folder / "labelled.jsonl")
    shutil.copy(ROOT / "tests/data/semantic_conversations.jsonl", folder / "pairs.jsonl")
    question = {"question": "When are you open?", "answer": "From 9 to 5.", "tags": ["faq"]}
    (folder / "faq.jsonl").write_text(json.dumps(question))
    done = personal.run("router", "train", "labelled.jsonl", "--out", "router.npz", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("command", [c for c in ALL if c not in ELSEWHERE])
def test_a_command_does_what_the_page_says(
    personal: Instance, workplace: Path, command: str
) -> None:
    program, *words = shlex.split(command.replace("http://127.0.0.1:8000", personal.url))
    if program == "serve-app":
        done = personal.run(*words, cwd=workplace)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return
    assert program == "curl", f"{command!r} is run by no test"
    out = subprocess.run(
        [program, "-sS", "--fail-with-body", "--max-time", "60", *words],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert out.returncode == 0, f"{out.stdout}\n{out.stderr}"
    assert '"error":{' not in out.stdout
