"""Ports: which are free, who holds one, and a block of them for one gateway."""

from __future__ import annotations

import errno
import os
import socket
from typing import NamedTuple

import psutil

from serve_app.cli.failure import Failure

_FIRST = 20000
_SIZE = 256
_BLOCKS = 48
"""Up to 32288: below the range from which Linux takes ports of outgoing connections."""
_NAMED = (
    "gcs",
    "dashboard",
    "ray_client",
    "agent",
    "agent_grpc",
    "runtime_env",
    "metrics_export",
    "haproxy_metrics",
    "haproxy_stats",
    "fallback_http",
    "fallback_grpc",
)
_PROBED = 32


class Ports(NamedTuple):
    """Ports that one gateway uses beside the one it serves on."""

    named: dict[str, int]
    first_replica: int
    last_replica: int


def is_free(host: str, port: int) -> bool:
    """True if a server could listen there.

    Raises:
        OSError: the address is not one of this machine's, or the port needs privileges.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
    return True


def holder(port: int) -> str | None:
    """The process that listens on a port, as `name (process 123)`; None if we may not know."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        return None
    for connection in connections:
        listens = connection.status == psutil.CONN_LISTEN
        if listens and connection.laddr and connection.laddr.port == port:
            return _describe(connection.pid)
    return None


def _describe(pid: int | None) -> str | None:
    if pid is None:
        return None
    try:
        return f"{psutil.Process(pid).name()} (process {pid})"
    except psutil.Error:
        return f"process {pid}"


def require_free(host: str, port: int) -> None:
    """Raise a `Failure` that names the port and, if known, its holder."""
    try:
        if is_free(host, port):
            return
    except PermissionError:
        raise Failure(f"Port {port} needs root; choose one above 1023: --port 8000") from None
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise Failure(f"Cannot listen on {host}:{port}: {reason}; see http_options") from error
    by = holder(port)
    raise Failure(
        f"Port {port} is taken{f' by {by}' if by else ''}: end that, or choose another "
        f"with --port or SERVE_APP_PORT"
    )


def choose(serving: int) -> Ports:
    """A block of free ports, the same one each time for the same serving port if it is free."""
    for attempt in range(_BLOCKS):
        first = _FIRST + ((serving + attempt) % _BLOCKS) * _SIZE
        inside = range(first, first + _SIZE)
        if serving not in inside and all(is_free("0.0.0.0", port) for port in inside[:_PROBED]):  # noqa: S104
            named = dict(zip(_NAMED, inside, strict=False))
            return Ports(named, first + _PROBED // 2, inside[-1])
    raise Failure(f"No block of free ports between {_FIRST} and {_FIRST + _BLOCKS * _SIZE}")
