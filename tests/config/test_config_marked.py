"""YAML with places: what is read, and where an error says it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from serve_app.config import marked
from serve_app.config.marked import ConfigError


def write(folder: Path, text: str) -> Path:
    path = folder / "a.yaml"
    path.write_text(text)
    return path


def test_values_are_those_of_yaml(tmp_path: Path) -> None:
    document = marked.read(write(tmp_path, 'a: [1, {b: null}]\nc: {d: 1.5, e: "x", f: true}\n'))
    assert document == {"a": [1, {"b": None}], "c": {"d": 1.5, "e": "x", "f": True}}


def test_places_are_the_lines_of_keys_and_items(tmp_path: Path) -> None:
    document = marked.read(write(tmp_path, "a: 1\nlist:\n  - x: 1\n  - y:\n      z: 2\n"))
    assert marked.place_of(document, ("a",)).line == 1
    assert marked.place_of(document, ("list", 0, "x")).line == 3
    assert marked.place_of(document, ("list", 1, "y", "z")).line == 5


def test_a_missing_value_has_the_place_of_its_parent(tmp_path: Path) -> None:
    document = marked.read(write(tmp_path, "a:\n  b: 1\n"))
    assert marked.place_of(document, ("a", "missing", "deeper")).line == 1


def test_an_alias_gives_each_user_the_anchors_value(tmp_path: Path) -> None:
    document = marked.read(write(tmp_path, "one: &p {x: 1}\ntwo: *p\n"))
    assert document["one"] == document["two"] == {"x": 1}
    assert document["one"] is not document["two"]


def test_a_merge_key_is_overridden_by_the_mapping_itself(tmp_path: Path) -> None:
    document = marked.read(write(tmp_path, "base: &b {x: 1, y: 2}\nown:\n  <<: *b\n  x: 3\n"))
    assert document["own"] == {"x": 3, "y": 2}


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("a: 1\nb: [1, 2\n", 3, "not YAML"),
        ("a: 1\nb:\n  x: 1\n  x: 2\n", 4, "'x' is there twice"),
        ("- 1\n", 1, "must be a mapping"),
        ("1: 2\n", 1, "must be a string"),
        ("a: 1\na: &x [*x]\n", 2, ""),
        ("a: !!python/object:os.system ls\n", 1, "not YAML"),
    ],
)
def test_an_error_names_file_and_line(tmp_path: Path, text: str, line: int, says: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        marked.read(path)
    assert caught.value.problems[0].startswith(f"{path}:{line}:")
    assert says in caught.value.problems[0]


def test_a_file_that_is_not_there_or_not_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read"):
        marked.read(tmp_path / "none.yaml")
    (tmp_path / "b.yaml").write_bytes(b"a: \xff\xfe")
    with pytest.raises(ConfigError, match=r"b\.yaml: is not UTF-8"):
        marked.read(tmp_path / "b.yaml")


def test_a_path_reads_as_one_would_write_it() -> None:
    path = ("applications", 0, "args", "backends", 1, "base_url")
    assert marked.dotted(path) == "applications[0].args.backends[1].base_url"
