"""The address of a cluster: `redis+cluster://[user:password@]host:port,host:port[/0][?options]`."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

_SUFFIX: Final = "+cluster"
_PORT: Final = 6379

Endpoint = tuple[str, int]
"""A host name or IP address, and a port."""


class ClusterAddress(Struct, frozen=True, gc=False):
    """Some servers of a cluster, and how all of them are spoken to.

    User, password and options (those of the driver, such as `ssl_ca_certs`) hold for every server
    of the cluster, also for those that are not named.
    """

    scheme: str
    login: str
    """`user:password@`, escaped as it came, or empty."""
    seeds: tuple[Endpoint, ...]
    options: str

    def url_of(self, endpoint: Endpoint) -> str:
        """The address of one server."""
        options = f"?{self.options}" if self.options else ""
        return f"{self.scheme}://{self.login}{name_of(endpoint)}{options}"


def is_cluster(url: str) -> bool:
    return url.partition("://")[0] in ("redis+cluster", "rediss+cluster")


def parse(url: str) -> ClusterAddress:
    """Read a URL of a cluster.

    Raises:
        ValueError: it is none; the message has no secret in it.
    """
    if not is_cluster(url):
        raise ValueError(
            "the address of a cluster begins with redis+cluster:// or rediss+cluster://"
        )
    parts = urlsplit(url)
    if parts.path not in ("", "/", "/0"):
        raise ValueError("a cluster has no database but 0")
    login, at, hosts = parts.netloc.rpartition("@")
    seeds = tuple(_endpoint(host) for host in hosts.split(","))
    return ClusterAddress(parts.scheme.removesuffix(_SUFFIX), login + at, seeds, parts.query)


def name_of(endpoint: Endpoint) -> str:
    """`host:port`, an IPv6 address in brackets."""
    host, port = endpoint
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _endpoint(text: str) -> Endpoint:
    try:
        parts = urlsplit(f"//{text.strip()}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host:
        raise ValueError(f"{text!r} is not HOST:PORT")
    return host, port or _PORT
