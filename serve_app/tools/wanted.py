"""What a request's `tools` want run here: read, checked, nothing looked up."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from serve_app.core.errors import BadRequest

Json = dict[str, Any]


class PythonWanted(Struct, frozen=True):
    """`{"type": "serve_app", "name": "weather"}`."""

    name: str


class _ToolNames(Struct, frozen=True):
    tool_names: list[str] | None = None
    read_only: bool | None = None


class _Approvals(Struct, frozen=True):
    always: _ToolNames | None = None
    never: _ToolNames | None = None


class McpWanted(Struct, frozen=True):
    """`{"type": "mcp", ...}` as in OpenAI's Responses API; what is not named here has no meaning
    to the gateway."""

    server_label: str
    server_url: str | None = None
    allowed_tools: list[str] | _ToolNames | None = None
    require_approval: str | _Approvals | None = None
    authorization: str | None = None
    headers: dict[str, str] | None = None
    connector_id: str | None = None

    def allows(self, name: str, *, read_only: bool) -> bool:
        """Whether the request wants this tool."""
        allowed = self.allowed_tools
        if allowed is None:
            return True
        if isinstance(allowed, list):
            return name in allowed
        return _fits(allowed, name, read_only=read_only)

    def approves(self, name: str, *, read_only: bool) -> bool:
        """Whether the request lets this tool be called without asking. OpenAI asks by default."""
        said = self.require_approval
        if isinstance(said, _Approvals):
            return said.never is not None and _fits(said.never, name, read_only=read_only)
        return said == "never"


Wanted = PythonWanted | McpWanted


def _fits(which: _ToolNames, name: str, *, read_only: bool) -> bool:
    if which.read_only is not None and which.read_only is not read_only:
        return False
    return which.tool_names is None or name in which.tool_names


def wanted_of(tool: Json, at: int) -> Wanted:
    """
    Args:
        at: where it stands among the request's tools.

    Raises:
        BadRequest: a field is wrong, or asks for what is not to be had here.
    """
    place = f"tools[{at}]"
    kind: type[Wanted] = McpWanted if tool.get("type") == "mcp" else PythonWanted
    try:
        wanted: Wanted = msgspec.convert(tool, kind)
    except msgspec.ValidationError as error:
        raise BadRequest(f"Invalid value in {place}: {error}", param=place) from None
    if isinstance(wanted, McpWanted):
        _check(wanted, place)
    return wanted


def _check(wanted: McpWanted, place: str) -> None:
    if not 1 <= len(wanted.server_label) <= 128:
        raise BadRequest(
            f"{place}.server_label has 1 to 128 characters", param=f"{place}.server_label"
        )
    if wanted.connector_id is not None:
        raise BadRequest(
            f"{place}.connector_id: connectors run at OpenAI only; name a server by its label or "
            "server_url",
            param=f"{place}.connector_id",
        )
    if wanted.headers:
        raise BadRequest(
            f"{place}.headers are not passed on; what a server is sent is in the gateway's policy",
            param=f"{place}.headers",
        )
    said = wanted.require_approval
    if isinstance(said, str) and said not in ("always", "never"):
        raise BadRequest(
            f"{place}.require_approval is 'always', 'never' or says of which tools",
            param=f"{place}.require_approval",
        )
