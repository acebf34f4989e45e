"""Tools that the gateway runs itself: what a model is told of one, and what became of a call."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct, field

RUN_HERE = frozenset({"serve_app", "mcp"})
"""Types of a request's `tools` that are not for its caller to run: a registered Python tool
(`{"type": "serve_app", "name": ...}`), and those of an MCP server, in the words of OpenAI's
Responses API (`{"type": "mcp", "server_label": ..., "server_url": ...}`)."""


class ToolSpec(Struct, frozen=True):
    """A tool as its owner describes it."""

    name: str
    description: str = ""
    parameters: dict[str, Any] = field(default_factory=lambda: {"type": "object", "properties": {}})
    """JSON schema of its arguments, which are an object."""
    read_only: bool = False
    """Its owner says that a call changes nothing."""


class ToolListing(Struct, frozen=True):
    """What a request's MCP server offers it."""

    server: str
    """The label that the request gives it."""
    tools: tuple[ToolSpec, ...]


ToolState = Literal["running", "completed", "failed"]


class ToolStep(Struct):
    """One call of a tool that the gateway ran."""

    id: str
    """As the model numbered it: `call_...`."""
    name: str
    """Of the tool, as its owner calls it."""
    server: str = ""
    """Label of its MCP server; empty: a registered Python tool."""
    arguments: str = ""
    """JSON, as the model wrote it."""
    state: ToolState = "running"
    output: str = ""
    """What the model was told: the result, or what went wrong."""
    error: str = ""
    """Why it failed, in a word: `timeout`, `bad_arguments`, `failed`, `unavailable`, `limit`."""
    ms: float = 0.0
    step: int = 1
    """Which answer of the model asked for it, from 1; those of one answer ran side by side."""
    said: str = ""
    """What the model said just before, with the first call of an answer."""
