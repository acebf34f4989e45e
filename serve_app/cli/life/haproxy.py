"""What HAProxy is doing, asked over its admin socket: how many requests still run."""

from __future__ import annotations

import csv
import socket
from pathlib import Path

_LIMIT_S = 2.0
_MOST = 1 << 22


def running_requests(folder: Path) -> int | None:
    """Requests that replicas are answering at the moment, None if HAProxy does not say.

    Serve puts each node's socket into a folder of its own under `folder`.
    """
    sockets = list(folder.glob("*/admin.sock"))
    if not sockets:
        return None
    try:
        return sum(_sessions(path) for path in sockets)
    except (OSError, ValueError):
        return None


def _sessions(path: Path) -> int:
    rows = csv.DictReader(_ask(path, b"show stat\n").lstrip("# ").splitlines())
    return sum(
        int(row["scur"] or 0)
        for row in rows
        if row["svname"] == "BACKEND" and row["pxname"] != "stats"
    )


def _ask(path: Path, command: bytes) -> str:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_LIMIT_S)
        connection.connect(str(path))
        connection.sendall(command)
        said = bytearray()
        while len(said) < _MOST and (piece := connection.recv(1 << 16)):
            said += piece
    return said.decode(errors="replace")
