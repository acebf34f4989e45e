"""The configuration reference says what the settings say."""

from __future__ import annotations

from pathlib import Path

from serve_app.config.reference import render

PAGE = Path(__file__).resolve().parents[2] / "docs/configuration.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), (
        "run: python -m serve_app.config.reference > docs/configuration.md"
    )
