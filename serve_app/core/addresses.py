"""Which addresses callers may make the gateway call: public ones, none of its own network."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

_NAT64: Final = IPv6Network("64:ff9b::/96")
"""RFC 6052: an IPv4 address is in the last 32 bits."""


class NotPublic(ValueError):
    """A host that is not there, or that is not for callers to name."""


def is_public(address: str) -> bool:
    """Whether an IP address is one of the Internet's, also where it is wrapped in IPv6's."""
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address) and (inner := _wrapped(found)) is not None:
        found = inner
    return found.is_global and not (found.is_multicast or found.is_reserved)


def _wrapped(address: IPv6Address) -> IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None


async def public_addresses(host: str, port: int) -> list[str]:
    """The addresses of a host; connect to one of them, not to the name, which may say something
    else the next moment.

    Raises:
        NotPublic: it has none, or one that is not public.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise NotPublic(f"{host[:253]} has no address") from None
    addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
    if not addresses or not all(map(is_public, addresses)):
        raise NotPublic(f"{host[:253]} is no public address")
    return addresses
