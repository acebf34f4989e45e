"""What a Python function takes, read off its signature and docstring, as JSON schema."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple, get_type_hints

import msgspec
from msgspec import Meta, Struct

from serve_app.tools.base import ToolContext

_ARGUMENT = re.compile(r"^(\s+)\*{0,2}(\w+)(?:\s*\([^)]*\))?:\s*(.*)$")


class Signature(NamedTuple):
    """How a function is called with what a model wrote."""

    arguments: type[Struct]
    schema: dict[str, Any]
    description: str
    context: str
    """Name of the argument that takes the `ToolContext`; empty: none does."""


def signature_of(function: Callable[..., Any]) -> Signature:
    """
    Raises:
        TypeError: an argument has no annotation, no type that JSON can carry, or no name.
        NameError: an annotation names what is not there.
    """
    hints = get_type_hints(function, include_extras=True)
    summary, told = _docstring(inspect.getdoc(function) or "")
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    context = ""
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"{name}: arguments are given by name")
        if name not in hints:
            raise TypeError(f"{name}: has no type annotation")
        if hints[name] is ToolContext:
            context = name
            continue
        annotation = hints[name]
        if name in told:
            annotation = Annotated[annotation, Meta(description=told[name])]
        if parameter.default is parameter.empty:
            fields.append((name, annotation))
        else:
            fields.append((name, annotation, _default(parameter.default)))
    made = msgspec.defstruct("Arguments", fields, kw_only=True, forbid_unknown_fields=True)
    return Signature(made, _schema(made), summary, context)


def _default(value: Any) -> Any:
    """A default that calls do not share."""
    if isinstance(value, list | dict | set):
        return msgspec.field(default_factory=value.copy)
    return value


def _schema(arguments: type[Struct]) -> dict[str, Any]:
    """The schema of an object, its own definitions in place: not every provider follows a `$ref`
    at the top."""
    [top], components = msgspec.json.schema_components([arguments], ref_template="#/$defs/{name}")
    schema: dict[str, Any] = components.pop(top["$ref"].removeprefix("#/$defs/"))
    schema.pop("title", None)
    if components:
        schema["$defs"] = components
    return schema


def _docstring(text: str) -> tuple[str, dict[str, str]]:
    """What a docstring in Google's style says of the function, and of each argument."""
    summary, _, rest = text.partition("\nArgs:\n")
    told: dict[str, str] = {}
    name, indent = "", 0
    for line in rest.split("\n"):
        if line and not line[0].isspace():
            break
        found = _ARGUMENT.match(line)
        if found is not None and (not name or len(found[1]) <= indent):
            indent, name, told[found[2]] = len(found[1]), found[2], found[3].strip()
        elif name and line.strip():
            told[name] = f"{told[name]} {line.strip()}".strip()
    return re.split(r"\n(?:Returns|Raises|Yields|Examples?):\n", summary)[0].strip(), told
