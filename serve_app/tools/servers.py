"""Which MCP servers requests may name: those of the policy, and others only where it says so."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from serve_app.config.tools_policy import McpServer, ToolsPolicy
from serve_app.core.errors import BadRequest, PolicyRejected
from serve_app.tools.wanted import McpWanted

_MAX_URL = 2048
_PORTS = {"http": 80, "https": 443}


class Endpoint(Struct, frozen=True):
    """A server that a request has named, and what the gateway may do there."""

    label: str
    """The request's."""
    url: str
    headers: dict[str, str] = {}
    listed: str = ""
    """The policy's label; empty: a caller has chosen it, so that only public addresses are
    called."""
    allowed: frozenset[str] = frozenset()
    """Tools that the policy lets be called; empty: all."""
    pre_approved: bool = False
    pure: frozenset[str] = frozenset()

    @property
    def key(self) -> str:
        """Equal where the same tools are listed: same URL, same credentials."""
        said = "\n".join([self.url, *(f"{n}:{v}" for n, v in sorted(self.headers.items()))])
        return hashlib.sha256(said.encode()).hexdigest()


class _Listed(Struct, frozen=True):
    settings: McpServer
    headers: dict[str, str]


class Servers:
    """The servers of one policy.

    Args:
        environ: where their secrets are.

    Raises:
        PolicyRejected: a secret is not there.
    """

    def __init__(self, policy: ToolsPolicy, environ: Mapping[str, str]) -> None:
        self._any = policy.any_server
        self._listed = [
            _Listed(server, _headers(server, environ, f"tools.mcp[{server.label!r}]"))
            for server in policy.mcp
        ]

    def find(self, wanted: McpWanted, tenant: str, place: str) -> Endpoint:
        """
        Args:
            place: of the tool in its request: `tools[0]`.

        Raises:
            BadRequest: the tenant may name no such server.
        """
        own = [one for one in self._listed if _is_for(one.settings, tenant)]
        for one in own:
            if _is_named(one.settings, wanted):
                return self._endpoint(one, wanted, place)
        if self._any and wanted.server_url is not None:
            _check_url(wanted.server_url, f"{place}.server_url")
            headers = _bearer(wanted.authorization)
            return Endpoint(wanted.server_label, wanted.server_url, headers)
        field = "server_label" if wanted.server_url is None else "server_url"
        known = ", ".join(sorted(one.settings.label for one in own)) or "none"
        raise BadRequest(
            f"{place}.{field} names no MCP server that you may use; by label, there are: {known}",
            param=f"{place}.{field}",
            code="mcp_server_not_found",
        )

    def _endpoint(self, one: _Listed, wanted: McpWanted, place: str) -> Endpoint:
        settings, headers = one.settings, one.headers
        if wanted.authorization is not None:
            if not settings.forward_authorization:
                raise BadRequest(
                    f"{place}.authorization is not passed on to this server",
                    param=f"{place}.authorization",
                )
            headers = {**headers, **_bearer(wanted.authorization)}
        return Endpoint(
            wanted.server_label,
            wanted.server_url or settings.url,
            headers,
            settings.label,
            allowed=frozenset(settings.allowed_tools),
            pre_approved=settings.pre_approved,
            pure=frozenset(settings.pure),
        )


def _headers(server: McpServer, environ: Mapping[str, str], place: str) -> dict[str, str]:
    """
    Raises:
        PolicyRejected: names the variable that is not set; says nothing of values.
    """
    headers: dict[str, str] = {}
    for name, variable in server.headers_env.items():
        value = environ.get(variable, "").strip()
        if not value or not value.isprintable() or not value.isascii():
            raise PolicyRejected(
                f"{place}.headers_env: the environment variable {variable} is not set, or is no "
                "value of a header"
            )
        headers[name.lower()] = value
    return headers


def _bearer(token: str | None) -> dict[str, str]:
    """
    Raises:
        BadRequest: it is none that a header can carry.
    """
    if token is None:
        return {}
    if not (token.isascii() and token.isprintable() and 0 < len(token) <= 8192):
        raise BadRequest("authorization of a tool is no token", param="tools")
    return {"authorization": f"Bearer {token}"}


def _is_for(settings: McpServer, tenant: str) -> bool:
    return not settings.tenants or tenant in settings.tenants


def _is_named(settings: McpServer, wanted: McpWanted) -> bool:
    """By its URL where the request gives one (whose label is its own then), else by label."""
    if wanted.server_url is None:
        return wanted.server_label == settings.label
    if wanted.server_url == settings.url:
        return True
    return settings.prefix and _is_below(wanted.server_url, settings.url)


def _is_below(url: str, top: str) -> bool:
    """Whether a URL is one below another, by whatever way servers may read it."""
    if len(url) > _MAX_URL or not url.isascii() or not url.isprintable() or "\\" in url:
        return False
    try:
        given, base = urlsplit(url), urlsplit(top)
        same = _origin(url) == _origin(top)
    except ValueError:
        return False
    if not same or given.username or given.password or given.fragment or given.query:
        return False
    path = unquote(given.path)
    if posixpath.normpath(path) != path.rstrip("/") or unquote(path) != path:
        return False
    return path.startswith(base.path.rstrip("/") + "/")


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)


def _check_url(url: str, param: str) -> None:
    """
    Raises:
        BadRequest: it is none that a caller may choose.
    """
    try:
        parts = urlsplit(url)
        good = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or len(url) > _MAX_URL or parts.username or parts.password or parts.fragment:
        raise BadRequest(f"{param} is an https:// URL without a user", param=param)
