"""The room: finds the tools that a request names, under the policy of the moment."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from serve_app.config.tools_policy import ToolsPolicy
from serve_app.core.clock import Clock
from serve_app.core.errors import BadRequest, PolicyRejected, UpstreamFailed
from serve_app.core.together import all_of
from serve_app.core.tools import RUN_HERE
from serve_app.core.types import Identity
from serve_app.tools.base import Tool
from serve_app.tools.listings import Listings, ServerAway
from serve_app.tools.mcp_client import McpClient
from serve_app.tools.mcp_tools import McpTool, Session, chosen
from serve_app.tools.python_tools import PythonTool
from serve_app.tools.servers import Servers
from serve_app.tools.toolbox import Offer, Toolbox
from serve_app.tools.wanted import McpWanted, PythonWanted, Wanted, wanted_of

Json = dict[str, Any]


class Toolroom:
    """
    Args:
        environ: where the secrets of servers are.

    Raises:
        PolicyRejected: a function cannot be imported, a secret is not there, or servers are
            listed and the package `mcp` is not installed.
    """

    def __init__(self, policy: ToolsPolicy, environ: Mapping[str, str], clock: Clock) -> None:
        self._environ = environ
        self._clock = clock
        self._client = McpClient()
        self.reconfigure(policy)

    def reconfigure(self, policy: ToolsPolicy) -> None:
        """Use another policy. A bad one raises `PolicyRejected` and changes nothing."""
        used = policy if policy.enabled else ToolsPolicy()
        python = {
            tool.name: PythonTool(tool, f"tools.python[{tool.name!r}]") for tool in used.python
        }
        servers = Servers(used, self._environ)
        if (used.mcp or used.any_server) and not McpClient.is_installed():
            raise PolicyRejected("tools.mcp: the package is missing: install serve-app[mcp]")
        self.policy, self._python, self._servers = policy, python, servers
        self._listings = Listings(self._clock, policy.list_ttl_s)

    def start(self) -> None:
        if self.policy.enabled and self.policy.mcp:
            self._client.start()

    async def close(self) -> None:
        await self._client.close()

    async def open(self, tools: list[Json], identity: Identity) -> Toolbox:
        """The tools of a request that run here. Close the box.

        Args:
            tools: of the request, as they were sent.

        Raises:
            BadRequest: it names what is not there for this tenant, or too many.
            UpstreamFailed: a server cannot be asked what it has.
        """
        sessions: list[Session] = []
        close = partial(_close, sessions)
        try:
            offers = await self._offers(tools, identity.tenant, sessions)
            return Toolbox(offers, _own_names(tools), close)
        except BaseException:
            close()
            raise

    async def _offers(self, tools: list[Json], tenant: str, sessions: list[Session]) -> list[Offer]:
        wanted = [
            (at, wanted_of(tool, at))
            for at, tool in enumerate(tools)
            if tool.get("type") in RUN_HERE
        ]
        _check_labels(wanted)
        offers = await all_of(self._offer(at, one, tenant, sessions) for at, one in wanted)
        count, most = sum(len(offer.tools) for offer in offers), self.policy.limits.max_tools
        if count > most:
            raise BadRequest(
                f"The request names {count} tools, at most {most} may be: choose by allowed_tools",
                param="tools",
                code="too_many_tools",
            )
        return offers

    async def _offer(self, at: int, wanted: Wanted, tenant: str, sessions: list[Session]) -> Offer:
        place = f"tools[{at}]"
        if isinstance(wanted, PythonWanted):
            return Offer(at, [self._find_python(wanted.name, tenant, place)])
        endpoint = self._servers.find(wanted, tenant, place)
        session = await self._client.session(endpoint)
        sessions.append(session)
        look = partial(session.list_tools, self.policy.limits.per_call_s)
        try:
            specs = await self._listings.of(endpoint.key, look)
        except ServerAway as error:
            raise UpstreamFailed(
                f"The MCP server {wanted.server_label!r} did not list its tools: {error}",
                code="mcp_server_unavailable",
                param=place,
            ) from None
        offered = chosen(specs, wanted, endpoint, place)
        made: list[Tool] = [McpTool(spec, endpoint, session) for spec in offered]
        return Offer(at, made, endpoint.label)

    def _find_python(self, name: str, tenant: str, place: str) -> Tool:
        own = [t.name for t in self.policy.python if not t.tenants or tenant in t.tenants]
        if name not in own:
            known = ", ".join(sorted(own)) or "none"
            raise BadRequest(
                f"{place}.name is {name[:80]!r}, no tool that you may use; there are: {known}",
                param=f"{place}.name",
                code="tool_not_found",
            )
        return self._python[name]


def _close(sessions: list[Session]) -> None:
    for session in sessions:
        session.close()


def _own_names(tools: list[Json]) -> set[str]:
    """Names of the functions that are the caller's own."""
    return {
        function["name"]
        for tool in tools
        if tool.get("type") not in RUN_HERE and isinstance(function := tool.get("function"), dict)
    }


def _check_labels(wanted: list[tuple[int, Wanted]]) -> None:
    """
    Raises:
        BadRequest: something is there twice.
    """
    seen: set[tuple[bool, str]] = set()
    for at, one in wanted:
        is_mcp = isinstance(one, McpWanted)
        label = one.server_label if isinstance(one, McpWanted) else one.name
        if (is_mcp, label) in seen:
            field = f"tools[{at}].{'server_label' if is_mcp else 'name'}"
            raise BadRequest(f"{field} is there twice", param=field)
        seen.add((is_mcp, label))
