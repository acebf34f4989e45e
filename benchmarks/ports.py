"""Loopback ports: a benchmark must not measure somebody else's server by mistake."""

from __future__ import annotations

import socket
from collections.abc import Iterable


class PortTakenError(RuntimeError):
    """A port that a benchmark needs is in use."""


def require_free(*ports: int) -> None:
    """Raise PortTakenError if something listens on one of the ports."""
    taken = [port for port in ports if _answers(port)]
    if taken:
        names = ", ".join(map(str, taken))
        raise PortTakenError(f"in use on 127.0.0.1: port {names}. End what listens there first.")


def first_free(ports: Iterable[int]) -> int:
    """The first of the ports that nobody listens on; PortTakenError if all are taken."""
    for port in (tried := list(ports)):
        if not _answers(port):
            return port
    raise PortTakenError(f"in use on 127.0.0.1: ports {tried[0]} to {tried[-1]}")


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0
