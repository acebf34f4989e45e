"""A tool's contract: arguments in, an outcome out, whatever happens."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from serve_app.core.tools import ToolSpec


class ToolContext(Struct, frozen=True):
    """For whom a tool is called. A Python tool that takes an argument of this type is given it."""

    tenant: str = "default"
    user: str = "anonymous"
    request_id: str = ""
    timeout_s: float = 20.0
    """Of this call."""
    max_chars: int = 20_000
    """A longer result is cut."""


class ToolOutcome(Struct, frozen=True):
    """What a call came to: `text` is for the model, also where it says what went wrong."""

    text: str
    error: str = ""
    """As `ToolStep.error`; empty: it went well."""
    cut: int = 0
    """Characters of the result that were left out."""


class Tool(Protocol):
    @property
    def spec(self) -> ToolSpec: ...

    @property
    def server(self) -> str:
        """Label of the MCP server it is of; empty: it is a registered Python tool."""

    @property
    def source(self) -> str:
        """What the policy calls it, or its server; `other` for servers that callers choose."""

    @property
    def is_pure(self) -> bool:
        """Calls change nothing, and equal ones give the same."""

    async def call(self, arguments: str, context: ToolContext) -> ToolOutcome:
        """Call it, within `context.timeout_s`. Raises nothing but `CancelledError`.

        Args:
            arguments: JSON, as a model wrote it: may be anything.
        """


class ToolError(Exception):
    """Raised by a Python tool to tell the model what is wrong. Of other exceptions the model
    learns only the class: their messages may hold what is not for it."""


def within(text: str, max_chars: int, error: str = "") -> ToolOutcome:
    """An outcome of bounded size; a cut one says so at its end, for the model to know."""
    if len(text) <= max_chars:
        return ToolOutcome(text, error)
    mark = f"\n[cut here: the whole result has {len(text)} characters]"
    kept = max(0, max_chars - len(mark))
    return ToolOutcome(text[:kept] + mark, error, len(text) - kept)
