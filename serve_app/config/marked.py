"""YAML that remembers where it was written, so that an error can name file and line."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from serve_app.core.errors import PolicyRejected

Step = str | int
_REPLACE = "!replace"


class Place(NamedTuple):
    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class ConfigError(PolicyRejected):
    """A configuration that cannot be used; `problems` has one line each, with its place."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Map(dict[str, Any]):
    """A dictionary that knows its place and that of each key."""

    def __init__(self, place: Place, *, replaces: bool = False) -> None:
        super().__init__()
        self.place = place
        self.replaces = replaces
        """Written with the tag `!replace`: takes the place of what an overlay would merge."""
        self.places: dict[str, Place] = {}

    def put(self, key: str, value: Any, place: Place) -> None:
        self[key] = value
        self.places[key] = place


class Seq(list[Any]):
    """A list that knows its place and that of each item."""

    def __init__(self, place: Place, *, replaces: bool = False) -> None:
        super().__init__()
        self.place = place
        self.replaces = replaces
        self.places: list[Place] = []

    def add(self, value: Any, place: Place) -> None:
        self.append(value)
        self.places.append(place)


def read(path: Path) -> Map:
    """The mapping in a YAML file.

    Raises:
        ConfigError: no such file, not YAML, a key twice, or not a mapping at the top.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: is not UTF-8 text (byte {error.start})"]) from error
    return _parse(text, str(path))


def _parse(text: str, file: str) -> Map:
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            raise ConfigError([f"{file}:1: must be a mapping with `applications`"])
        value = _Builder(loader, file).mapping(node)
    except yaml.MarkedYAMLError as error:
        raise ConfigError([_syntax_problem(error, file)]) from error
    except yaml.YAMLError as error:
        raise ConfigError([f"{file}: is not YAML: {error}"]) from error
    finally:
        loader.dispose()
    return value


def _syntax_problem(error: yaml.MarkedYAMLError, file: str) -> str:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    what = ", ".join(part for part in (error.context, error.problem) if part)
    return f"{file}:{line}: is not YAML: {what}"


class _Builder:
    """Turns nodes into values; an alias becomes a copy with its anchor's places."""

    def __init__(self, loader: yaml.SafeLoader, file: str) -> None:
        self._loader = loader
        self._file = file
        self._open: set[int] = set()

    def mapping(self, node: yaml.MappingNode) -> Map:
        built = Map(self._place(node), replaces=node.tag == _REPLACE)
        self._enter(node)
        own: set[str] = set()
        self._loader.flatten_mapping(node)
        for key_node, value_node in node.value:
            key = self._key(key_node)
            # What `<<` brings in was written before this mapping and may be overridden in it.
            if key_node.start_mark.index >= node.start_mark.index:
                self._claim(key, own, key_node)
            built.put(key, self._value(value_node), self._place(key_node))
        self._open.discard(id(node))
        return built

    def _claim(self, key: str, own: set[str], node: yaml.Node) -> None:
        if key in own:
            raise ConfigError([f"{self._place(node)}: the key {key!r} is there twice"])
        own.add(key)

    def _value(self, node: yaml.Node) -> Any:
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node)
        if isinstance(node, yaml.SequenceNode):
            return self._sequence(node)
        return self._loader.construct_object(node, deep=True)

    def _sequence(self, node: yaml.SequenceNode) -> Seq:
        items = Seq(self._place(node), replaces=node.tag == _REPLACE)
        self._enter(node)
        for item in node.value:
            items.add(self._value(item), self._place(item))
        self._open.discard(id(node))
        return items

    def _key(self, node: yaml.Node) -> str:
        key: Hashable = self._loader.construct_object(node)
        if not isinstance(key, str):
            raise ConfigError([f"{self._place(node)}: the key {key!r} must be a string"])
        return key

    def _enter(self, node: yaml.Node) -> None:
        if id(node) in self._open:
            raise ConfigError([f"{self._place(node)}: an anchor that holds itself"])
        self._open.add(id(node))

    def _place(self, node: yaml.Node) -> Place:
        return Place(self._file, node.start_mark.line + 1)


def place_of(document: Map, path: tuple[Step, ...]) -> Place:
    """Where the value at `path` was written; of its nearest written parent if it was not."""
    place = document.place
    value: Any = document
    for step in path:
        found = _place_in(value, step)
        if found is None:
            break
        place, value = found, value[step]
    return place


def _place_in(container: Any, step: Step) -> Place | None:
    if isinstance(container, Map) and isinstance(step, str):
        return container.places.get(step)
    if isinstance(container, Seq) and isinstance(step, int) and step < len(container):
        return container.places[step]
    return None


def dotted(path: tuple[Step, ...]) -> str:
    """`applications[0].args.backends[1].base_url`"""
    return "".join(_dotted_steps(path)).lstrip(".")


def _dotted_steps(path: tuple[Step, ...]) -> Iterator[str]:
    for step in path:
        yield f"[{step}]" if isinstance(step, int) else f".{step}"
