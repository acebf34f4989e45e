"""What a dashboard's JSON asks Prometheus, as plain PromQL."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

_VARIABLE = re.compile(r"\$(\w+)")
_LISTED = re.compile(r"label_values\((?P<metric>\w+), (?P<label>\w+)\)")


class Asked(NamedTuple):
    """One query of one panel."""

    panel: str
    expr: str
    legend: str
    is_instant: bool


class UnknownVariable(ValueError):
    """A query has a variable that the dashboard has not."""


def panels(path: Path) -> list[dict[str, Any]]:
    """The panels of a dashboard's file, rows among them."""
    made: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["panels"]
    return made


def asked(panel: dict[str, Any], given: Mapping[str, str]) -> Iterator[Asked]:
    """A panel's queries.

    Args:
        given: what stands in the place of `$name`, by name; `__rate_interval` among them.

    Raises:
        UnknownVariable: a query has another.
    """
    for target in panel.get("targets", ()):
        expr = _VARIABLE.sub(lambda found: _known(found[1], given), target["expr"])
        is_instant = bool(target.get("instant"))
        yield Asked(panel["title"], expr, target["legendFormat"], is_instant)


def _known(name: str, given: Mapping[str, str]) -> str:
    if name not in given:
        raise UnknownVariable(f"${name}: known are {', '.join(given)}")
    return given[name]


def choices(path: Path) -> dict[str, tuple[str, str]]:
    """By name of a dashboard's variable: the metric and the label whose values it offers."""
    made = json.loads(path.read_text(encoding="utf-8"))
    asks = {one["name"]: one["query"] for one in made["templating"]["list"]}
    found = {name: _LISTED.fullmatch(query) for name, query in asks.items()}
    return {name: (one["metric"], one["label"]) for name, one in found.items() if one is not None}
