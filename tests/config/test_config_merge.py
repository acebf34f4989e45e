"""Overlays: what merges, what is replaced, what is taken away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from serve_app.config import marked
from serve_app.config.merge import merge


def merged(folder: Path, base: str, overlay: str) -> Any:
    (folder / "base.yaml").write_text(base)
    (folder / "overlay.yaml").write_text(overlay)
    return merge(marked.read(folder / "base.yaml"), marked.read(folder / "overlay.yaml"))


def test_mappings_merge_key_by_key(tmp_path: Path) -> None:
    assert merged(tmp_path, "a: {x: 1, y: 2}\n", "a: {y: 3, z: 4}\n") == {
        "a": {"x": 1, "y": 3, "z": 4}
    }


def test_named_items_merge_and_new_ones_go_to_the_end(tmp_path: Path) -> None:
    base = "l: [{name: a, v: 1}, {name: b, v: 2}]\n"
    assert merged(tmp_path, base, "l: [{name: c, v: 9}, {name: b, w: 3}]\n") == {
        "l": [{"name": "a", "v": 1}, {"name": "b", "v": 2, "w": 3}, {"name": "c", "v": 9}]
    }


def test_items_with_an_id_merge_too(tmp_path: Path) -> None:
    assert merged(tmp_path, "l: [{id: m, context: 1}]\n", "l: [{id: m, context: 2}]\n") == {
        "l": [{"id": "m", "context": 2}]
    }


def test_other_lists_are_replaced(tmp_path: Path) -> None:
    assert merged(tmp_path, "l: [a, b]\n", "l: [c]\n") == {"l": ["c"]}


def test_lists_whose_names_are_not_unique_are_replaced(tmp_path: Path) -> None:
    assert merged(tmp_path, "l: [{name: a}, {name: a}]\n", "l: [{name: a, v: 1}]\n") == {
        "l": [{"name": "a", "v": 1}]
    }


def test_null_takes_a_key_away(tmp_path: Path) -> None:
    assert merged(tmp_path, "a: 1\nb: {c: 1, d: 2}\n", "a: null\nb: {c: null}\n") == {"b": {"d": 2}}


def test_replace_puts_a_mapping_or_list_in_the_old_ones_place(tmp_path: Path) -> None:
    base = "m: {x: 1}\nl: [{name: a}]\n"
    assert merged(tmp_path, base, "m: !replace {y: 2}\nl: !replace [{name: b}]\n") == {
        "m": {"y": 2},
        "l": [{"name": "b"}],
    }


def test_places_lead_to_the_file_that_wrote_the_value(tmp_path: Path) -> None:
    document = merged(
        tmp_path, "l:\n  - name: a\n    v: 1\n    w: 1\n", "\n\nl:\n  - name: a\n    v: 2\n"
    )
    assert str(marked.place_of(document, ("l", 0, "v"))).endswith("overlay.yaml:5")
    assert str(marked.place_of(document, ("l", 0, "w"))).endswith("base.yaml:4")


def test_neither_side_is_changed(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("m: {x: 1}\n")
    base = marked.read(tmp_path / "a.yaml")
    (tmp_path / "b.yaml").write_text("m: {x: 2}\n")
    merge(base, marked.read(tmp_path / "b.yaml"))
    assert base == {"m": {"x": 1}}
