"""The data folder is found in one place."""

from __future__ import annotations

from pathlib import Path

from serve_app.config.paths import data_dir


def test_the_variable_names_it(tmp_path: Path) -> None:
    assert data_dir({"SERVE_APP_DATA_DIR": str(tmp_path)}) == tmp_path


def test_without_the_variable_it_is_under_the_home_folder() -> None:
    assert data_dir({}) == Path.home() / ".local/share/serve-app"
    assert data_dir({"SERVE_APP_DATA_DIR": ""}) == data_dir({})


def test_it_is_absolute_whatever_is_given() -> None:
    assert data_dir({"SERVE_APP_DATA_DIR": "data"}) == Path.cwd() / "data"
    assert data_dir({"SERVE_APP_DATA_DIR": "~/data"}) == Path.home() / "data"
