"""Where webhooks may go: not into our own network, whatever name a caller gives its addresses.

Servers that fetch URLs of strangers are asked to fetch those of their neighbours (OWASP:
server-side request forgery). So a name is resolved once, its addresses are checked, and the message
goes to one of these addresses: who connects must not resolve the name again.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

from serve_app.config.tasks_policy import WebhookPolicy
from serve_app.core.errors import BadRequest

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Lookup = Callable[[str, int], Awaitable[list[str]]]
"""Addresses of a host (name or address, port). Raises OSError if there are none."""

MAX_URL: Final = 2048
_LOOKUP_LIMIT_S: Final = 5.0
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_LOCAL_NAT64: Final = ipaddress.IPv6Network("64:ff9b:1::/48")
"""Where in an address the IPv4 one stands is up to the network (RFC 8215)."""
_METADATA: Final = (
    ipaddress.ip_address("168.63.129.16"),  # Azure's, of public form
    ipaddress.ip_address("100.100.100.200"),  # Alibaba's
    ipaddress.ip_address("fd00:ec2::254"),  # AWS's, of IPv6
    ipaddress.ip_address("fd20:ce::254"),  # Google's, of IPv6
)
"""Addresses at which clouds tell machines their credentials, beside the link-local ones."""


class TargetRefused(BadRequest):
    """No webhooks go there, now or later."""

    code = "webhook_refused"


class TargetUnknown(Exception):
    """The name has no address at the moment; trying again may help."""


class Target(Struct, frozen=True):
    """Where a message goes: connect to one of `addresses`, with `host` for TLS and `Host`."""

    url: str
    host: str
    port: int
    is_tls: bool
    addresses: tuple[str, ...]


def check_url(url: str, policy: WebhookPolicy) -> SplitResult:
    """What can be said of a URL without asking for its addresses; for the moment it is given.

    Raises:
        TargetRefused: the message says why.
    """
    if len(url) > MAX_URL:
        raise _refused(f"it has more than {MAX_URL} characters")
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise _refused("it has characters that have no place in a URL")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _refused("it cannot be read") from None
    allowed = ("https", "http") if policy.allow_http_loopback else ("https",)
    if parts.scheme not in allowed:
        raise _refused("it must begin with https://")
    if not parts.hostname or port == 0:
        raise _refused("it has no host")
    if parts.username is not None or parts.password is not None:
        raise _refused("it holds a user name or a password")
    if (address := _literal(parts.hostname)) is not None:
        _check(address, parts.scheme, policy)
    return parts


async def resolve(url: str, policy: WebhookPolicy, lookup: Lookup | None = None) -> Target:
    """Where to send a message now. Every address of the name must be allowed.

    Raises:
        TargetRefused: no messages go there.
        TargetUnknown: the name has no address, or was not answered for in time.
    """
    parts = check_url(url, policy)
    host, is_tls = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if is_tls else 80)
    try:
        async with asyncio.timeout(_LOOKUP_LIMIT_S):
            found = await (lookup or system_lookup)(host, port)
    except (OSError, UnicodeError, TimeoutError):
        found = []
    if not found:
        raise TargetUnknown(f"the host {host[:100]!r} has no address")
    for address in found:
        _check(ipaddress.ip_address(address), parts.scheme, policy)
    return Target(url, host, port, is_tls, tuple(found))


async def system_lookup(host: str, port: int) -> list[str]:
    """As the system resolves names."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(where[0]).partition("%")[0] for *_, where in found))


def _check(address: Address, scheme: str, policy: WebhookPolicy) -> None:
    for inner in _readings(address):
        if not _is_allowed(inner, scheme, policy):
            raise _refused("its address is none that webhooks may go to")


def _is_allowed(address: Address, scheme: str, policy: WebhookPolicy) -> bool:
    if address.is_loopback:
        return policy.allow_http_loopback
    if scheme != "https":
        return False
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        return False
    if address in _METADATA or address in _LOCAL_NAT64 or address.is_reserved:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.is_site_local:
        return policy.allow_private
    return address.is_global or policy.allow_private


def _readings(address: Address) -> list[Address]:
    """An address, and the IPv4 address that it may be the wrapping of."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    if address in _NAT64:
        return [ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)]
    if address.sixtofour is not None:
        return [address, address.sixtofour]
    if address.teredo is not None:
        return [address, *address.teredo]
    return [address]


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _refused(why: str) -> TargetRefused:
    return TargetRefused(f"The webhook's URL is refused: {why}", param="webhook")
