"""Items of tools that the gateway ran itself, as those of an MCP server. A registered Python tool
stands under the label `serve_app`."""

from __future__ import annotations

from typing import Any, Final

from serve_app.core.tools import ToolListing, ToolSpec, ToolStep
from serve_app.wire.responses.parts import Item, Json, Tell

HERE: Final = "serve_app"


class Ran(Item):
    """A call, from when it is about to be made."""

    kind = "mcp"

    def __init__(self, tell: Tell, at: int, id_: str, step: ToolStep) -> None:
        super().__init__(tell, at, id_)
        self._step = step

    def begin(self) -> None:
        self.open()
        self._tell("mcp_call.in_progress")
        self._tell("mcp_call_arguments.delta", delta=self._step.arguments)
        self._tell("mcp_call_arguments.done", arguments=self._step.arguments)

    def hear(self) -> None:
        """See whether it is over."""
        if self._step.state != "running":
            self.close(self._step.state)

    def begun(self) -> Json:
        return {**self._shown("in_progress"), "arguments": ""}

    def ended(self, status: str) -> Json:
        return self._shown(self._step.state if self._step.state != "running" else status)

    def _end(self) -> None:
        if self._step.state != "running":
            self._tell(f"mcp_call.{self._step.state}")

    def _shown(self, status: str) -> Json:
        step, is_over = self._step, status in ("completed", "failed")
        return {
            "id": self.id,
            "type": "mcp_call",
            "status": status,
            "server_label": step.server or HERE,
            "name": step.name,
            "arguments": step.arguments,
            "output": step.output if is_over and not step.error else None,
            "error": _error(step) if is_over and step.error else None,
        }


def _error(step: ToolStep) -> Json:
    return {"type": "mcp_tool_execution_error", "content": [{"type": "text", "text": step.output}]}


class Listing(Item):
    """What a server offers."""

    kind = "mcpl"

    def __init__(self, tell: Tell, at: int, id_: str, listing: ToolListing) -> None:
        super().__init__(tell, at, id_)
        self._listing = listing

    def tell_all(self) -> None:
        self.open()
        self._tell("mcp_list_tools.in_progress")
        self.close("completed")

    def begun(self) -> Json:
        return {**self.ended(""), "tools": []}

    def ended(self, status: str) -> Json:
        tools = [_tool(spec) for spec in self._listing.tools]
        kind: dict[str, Any] = {"id": self.id, "type": "mcp_list_tools"}
        return {**kind, "server_label": self._listing.server, "tools": tools}

    def _end(self) -> None:
        self._tell("mcp_list_tools.completed")


def _tool(spec: ToolSpec) -> Json:
    shown: Json = {"name": spec.name, "input_schema": spec.parameters}
    if spec.description:
        shown["description"] = spec.description
    return {**shown, "annotations": {"readOnlyHint": True} if spec.read_only else None}
