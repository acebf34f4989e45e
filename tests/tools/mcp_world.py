"""The MCP server of the tests as a fixture: own process, free port, gone after the session."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("mcp_server.py")


class McpWorld:
    """A running server."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.base = f"http://127.0.0.1:{port}"
        self.url = f"{self.base}/mcp"

    def seen(self, method: str, manner: str = "plain") -> int:
        """How often a method was called so far."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", "/_seen")
            counts: dict[str, int] = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        return counts.get(f"{manner} {method}", 0)


@pytest.fixture(scope="session")
def mcp_server() -> Iterator[McpWorld]:
    process = subprocess.Popen([sys.executable, str(PROGRAM)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line.strip(), f"the MCP server did not start: exit {process.wait()}"
        yield McpWorld(int(line))
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
