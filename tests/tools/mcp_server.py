"""An MCP server in its own process, made with the official package.

    python tests/tools/mcp_server.py          prints the port it listens on

`/mcp` speaks the newest protocol, `/legacy/mcp` only that of before it, `/locked/mcp` wants the
token `letmein`, `/gzip/mcp` compresses, `/away/mcp` redirects elsewhere. `GET /_seen` tells which
methods were called at which path, and how many sessions are open.
"""

from __future__ import annotations

import asyncio
import gzip
import json
from collections import Counter
from typing import Any

import uvicorn
from mcp.server.mcpserver import Context, Image, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations

server = MCPServer("tests", log_level="CRITICAL")
READ_ONLY = ToolAnnotations(read_only_hint=True)
SEEN: Counter[str] = Counter()


@server.tool(annotations=READ_ONLY)
def add(a: int, b: int) -> str:
    """Adds two numbers."""
    return f"{a} + {b} = {a + b}"


@server.tool()
def find(word: str) -> dict[str, Any]:
    """Finds a word."""
    return {"word": word, "pages": [1, 2]}


@server.tool(structured_output=False)
def picture() -> Image:
    """Shows a picture."""
    return Image(data=b"x" * 300, format="png")


@server.tool()
def fail(why: str) -> str:
    """Fails."""
    raise ToolError(why)


@server.tool()
async def sleep(seconds: float) -> str:
    """Takes its time."""
    await asyncio.sleep(seconds)
    return "awake"


@server.tool()
def long(chars: int) -> str:
    """So many letters."""
    return "y" * chars


@server.tool(name="strange.name/1")
def strange() -> str:
    """Has a name that no function may have."""
    return "strange"


@server.tool()
def weather(city: str) -> str:
    """Has a name that others have, too."""
    return f"{city}: rain"


@server.tool()
async def token(ctx: Context) -> str:
    """Which token it was sent."""
    request = ctx.request_context.request
    return str(request.headers.get("authorization")) if request is not None else ""


class Front:
    """Rewrites paths, counts methods, and misbehaves where the path says so."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        manner, _, path = scope["path"].strip("/").rpartition("/")
        if path == "_seen":
            await answer(send, 200, json.dumps(SEEN).encode())
            return
        body = await body_of(receive)
        method = str(json.loads(body).get("method")) if body else scope["method"]
        SEEN[f"{manner or 'plain'} {method}"] += 1
        if manner == "away":
            await answer(send, 307, b"", [(b"location", b"http://127.0.0.1:1/mcp")])
        elif manner == "broken":
            await answer(send, 500, b"no")
        elif manner == "legacy" and method == "server/discover":
            await answer(send, 400, b"Bad Request")
        elif (
            manner == "locked" and dict(scope["headers"]).get(b"authorization") != b"Bearer letmein"
        ):
            await answer(send, 401, b"no")
        elif manner == "gzip":
            head = [(b"content-encoding", b"gzip"), (b"content-type", b"application/json")]
            await answer(send, 200, gzip.compress(b" " * 1_000_000), head)
        else:
            await self._inner(
                {**scope, "path": "/mcp", "raw_path": b"/mcp"}, again(body, receive), send
            )


async def body_of(receive: Any) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return body


def again(body: bytes, receive: Any) -> Any:
    """What was read, once more; then what comes."""
    parts = [{"type": "http.request", "body": body, "more_body": False}]

    async def read() -> Any:
        return parts.pop() if parts else await receive()

    return read


async def answer(send: Any, status: int, body: bytes, headers: Any = ()) -> None:
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": body})


async def serve() -> None:
    config = uvicorn.Config(Front(server.streamable_http_app()), port=0, log_level="error")
    running = uvicorn.Server(config)
    task = asyncio.create_task(running.serve())
    while not running.started:
        await asyncio.sleep(0.01)
    print(running.servers[0].sockets[0].getsockname()[1], flush=True)
    await task


if __name__ == "__main__":
    asyncio.run(serve())
