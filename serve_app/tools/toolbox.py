"""The tools of one request that run here, under the names that its model knows them by."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection
from typing import Any

from msgspec import Struct

from serve_app.core.tools import ToolListing, ToolSpec
from serve_app.tools.base import Tool

_MAX_NAME = 64
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_STRANGE = re.compile(r"[^a-zA-Z0-9_-]")
"""Not in a function's name, as providers take it."""


class Offer(Struct, frozen=True):
    """What one entry of a request's `tools` stands for."""

    at: int
    """Its place among them."""
    tools: list[Tool]
    server: str = ""
    """Label of the MCP server; empty: it is a Python tool."""


class Toolbox:
    """
    Args:
        offers: in the order of the request.
        taken: names of the caller's own functions.
        close: lets go of what the tools hold; never waits.
    """

    def __init__(
        self, offers: list[Offer], taken: Collection[str], close: Callable[[], None]
    ) -> None:
        self.close = close
        self.tools: dict[str, Tool] = {}
        """By the name that the model knows."""
        self.functions: dict[int, list[dict[str, Any]]] = {}
        """By an entry's place, the functions that stand there for the model."""
        used = set(taken)
        for offer in offers:
            functions = self.functions[offer.at] = []
            for tool in offer.tools:
                name = _name(tool, used)
                used.add(name)
                self.tools[name] = tool
                functions.append(_function(name, tool.spec))
        self.listings = [
            ToolListing(offer.server, tuple(tool.spec for tool in offer.tools))
            for offer in offers
            if offer.server
        ]

    @property
    def is_pure(self) -> bool:
        """Whether calls of none of them change anything."""
        return all(tool.is_pure for tool in self.tools.values())

    def named(self, server: str, name: str) -> str | None:
        """What the model calls a tool; None: it is not here."""
        for known, tool in self.tools.items():
            if (tool.server, tool.spec.name) == (server, name):
                return known
        return None


def _name(tool: Tool, used: Collection[str]) -> str:
    """The tool's own name where a function may have it and none has; else one made of it and its
    server's label, equal for equal requests, so that prompts stay the same."""
    own = tool.spec.name
    if own not in used and _NAME.fullmatch(own):
        return own
    whole = f"{tool.server}__{own}" if tool.server else own
    plain = _STRANGE.sub("_", whole)
    if len(plain) <= _MAX_NAME and plain not in used and plain == whole:
        return plain
    mark = hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    made = f"{plain[: _MAX_NAME - 9]}_{mark}"
    number = 1
    while made in used:  # a server that lists a name twice
        number += 1
        made = f"{plain[: _MAX_NAME - 14]}_{mark}_{number}"
    return made


def _function(name: str, spec: ToolSpec) -> dict[str, Any]:
    function = {"name": name, "description": spec.description, "parameters": spec.parameters}
    return {"type": "function", "function": function}
