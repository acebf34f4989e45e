"""The console's files: vendored ones unchanged, words complete, nothing from elsewhere."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import serve_app.console

STATIC = Path(serve_app.console.__file__).parent / "static"
VENDOR = STATIC / "vendor"
OWN = [path for path in STATIC.rglob("*") if path.is_file() and VENDOR not in path.parents]
PAGES = [path for path in OWN if path.suffix == ".html"]
CODE = [path for path in OWN if path.suffix == ".js"]
KEY = r"[a-z_]+(?:\.\w+)+"
MADE = (
    "nav.", "theme.", "problem.", "live.window.", "backend.", "cache.", "tokens.", "stage.",
    "decision.", "keys.state.", "cache.by.", "cache.purge_", "task.", "tasks.priority.", "batch.",
    "costs.period.", "costs.by.", "costs.unit.", "severity.", "alerts.",
)  # fmt: skip
"""Beginnings of keys that are put together from what the gateway says."""


@cache
def words(language: str) -> dict[str, str]:
    found: dict[str, str] = json.loads((STATIC / "i18n" / f"{language}.json").read_text())
    return found


def test_vendored_files_are_those_of_the_manifest() -> None:
    manifest = json.loads((VENDOR / "manifest.json").read_text())
    listed: dict[str, str] = {}
    for package in manifest["packages"]:
        assert {"name", "version", "license", "source"} <= package.keys()
        assert any("LICENSE" in name for name in package["files"]), package["name"]
        listed |= package["files"]
    there = {
        path.relative_to(VENDOR).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }
    assert there == listed


def test_both_languages_have_the_same_words() -> None:
    english, chinese = words("en"), words("zh")
    assert list(english) == list(chinese)
    for key, text in english.items():
        assert text.strip(), key
        assert chinese[key].strip(), key
        assert holes(text) == holes(chinese[key]), key


def holes(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


def used() -> Iterator[str]:
    for path in PAGES:
        text = path.read_text()
        yield from re.findall(rf'x-t(?::[\w-]+)?="({KEY})"', text)
        yield from re.findall(rf'x-scroll="({KEY})"', text)
        for expression in re.findall(r'="([^"]*\$(?:t|word)\([^"]*)"', text):
            yield from re.findall(rf"'({KEY})'", expression)
    for path in CODE:
        yield from re.findall(rf'"({KEY})"', path.read_text())


def test_every_word_that_is_used_is_there_and_none_is_left_over() -> None:
    known = set(words("en"))
    asked = {key for key in used() if key.split(".")[0] in {one.split(".")[0] for one in known}}
    assert asked - known == set()
    assert {key for key in known - asked if not key.startswith(MADE)} == set()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_pages_have_nothing_inline_and_nothing_from_elsewhere(path: Path) -> None:
    text = path.read_text()
    assert re.search(r"\sstyle=|\son\w+=|<style|javascript:", text) is None
    assert re.search(r"<script(?![^>]*\ssrc=)", text) is None
    for address in re.findall(r'\s(?:src|href)="([^"]*)"', text):
        assert address.startswith(("/console/", "#")), address


@pytest.mark.parametrize("path", CODE, ids=lambda path: path.name)
def test_code_is_small_and_makes_no_code(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 250
    assert (
        re.search(r"\beval\(|new Function|innerHTML|insertAdjacent|document\.write", text) is None
    )
    assert "http://" not in text
    assert "https://" not in text


def test_styles_take_their_colours_from_the_tokens() -> None:
    for path in OWN:
        if path.suffix == ".css" and path.name != "tokens.css":
            assert re.search(r"#[0-9a-f]{3,8}\b|rgb\(", path.read_text()) is None, path.name


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_texts_stand_out_from_their_ground(theme: int) -> None:
    tokens = (STATIC / "css" / "tokens.css").read_text()
    pairs = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", tokens)
    colour = {name: both[theme] for name, *both in pairs}
    grounds = {"surface", "ground", "raised"}
    for ink in ("ink", "ink-soft", "ink-faint", "accent", "good", "warn", "bad", "info"):
        soft = {f"{ink}-soft"} & colour.keys() - {"ink-soft"}
        for ground in grounds | soft:
            assert contrast(colour[ink], colour[ground]) >= 4.5, (ink, ground)
    assert contrast(colour["on-accent"], colour["accent"]) >= 4.5
    assert contrast(colour["line-strong"], colour["surface"]) >= 3, "edges of fields"


def contrast(one: str, other: str) -> float:
    """As WCAG 2 defines it."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
