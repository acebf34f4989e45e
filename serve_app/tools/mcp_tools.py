"""Tools of MCP servers: which of them a request is offered, and how they are called."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from serve_app.core.errors import BadRequest
from serve_app.core.tools import ToolSpec
from serve_app.tools.base import ToolContext, ToolOutcome
from serve_app.tools.servers import Endpoint
from serve_app.tools.wanted import McpWanted


class Session(Protocol):
    """A session with a server; see `mcp.connection`."""

    async def list_tools(self, limit_s: float) -> tuple[ToolSpec, ...]: ...

    async def call(self, name: str, arguments: str, context: ToolContext) -> ToolOutcome: ...

    def close(self) -> None: ...


Open = Callable[[Endpoint], Awaitable[Session]]


class McpTool:
    """Implements `Tool` for one tool of a server.

    Args:
        session: of the request.
    """

    def __init__(self, spec: ToolSpec, endpoint: Endpoint, session: Session) -> None:
        self.spec = spec
        self.server = endpoint.label
        self.source = endpoint.listed or "other"
        self.is_pure = spec.name in endpoint.pure
        self._session = session

    async def call(self, arguments: str, context: ToolContext) -> ToolOutcome:
        return await self._session.call(self.spec.name, arguments, context)


def chosen(
    specs: tuple[ToolSpec, ...], wanted: McpWanted, endpoint: Endpoint, place: str
) -> list[ToolSpec]:
    """The tools of a server that a request is offered.

    Args:
        place: of the server in the request: `tools[0]`.

    Raises:
        BadRequest: a tool would have to be approved by somebody.
    """
    offered: list[ToolSpec] = []
    for spec in specs:
        if endpoint.allowed and spec.name not in endpoint.allowed:
            continue
        if not wanted.allows(spec.name, read_only=spec.read_only):
            continue
        if not (endpoint.pre_approved or wanted.approves(spec.name, read_only=spec.read_only)):
            raise BadRequest(
                f"{place}.require_approval: calls run without asking here; say 'never' (of "
                f"{spec.name[:80]!r}, too), or leave the tool out by allowed_tools",
                param=f"{place}.require_approval",
                code="approval_not_supported",
            )
        offered.append(spec)
    return offered
