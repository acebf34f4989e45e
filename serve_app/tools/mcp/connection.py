"""One session with an MCP server, for as long as one request needs it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import httpx2
import msgspec
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp_types import Implementation

import serve_app
from serve_app.core.tools import ToolSpec
from serve_app.tools.base import ToolContext, ToolOutcome
from serve_app.tools.listings import ServerAway
from serve_app.tools.mcp.http import Forbidden
from serve_app.tools.mcp.results import outcome_of, spec_of

logger = logging.getLogger(__name__)

_MAX_PAGES = 20
_CLOSE_S = 5.0
"""So long the server may take to hear that a session is over."""

_arguments = msgspec.json.Decoder(dict[str, Any])


class Connection:
    """A session that is opened when it is first needed.

    A task of its own opens it and closes it again: the task groups inside belong to the task that
    entered them, and a request's end must not wait for the server.

    Args:
        label: for messages.
        connect: makes the client that a session uses for itself.
        begun: told of the task of each session, which is its owner's to end.
    """

    def __init__(
        self,
        label: str,
        url: str,
        connect: Callable[[], httpx2.AsyncClient],
        begun: Callable[[asyncio.Task[None]], None],
    ) -> None:
        self._label = label
        self._url = url
        self._connect = connect
        self._begun = begun
        self._closing = asyncio.Event()
        self._opened: asyncio.Future[Client] | None = None
        self._task: asyncio.Task[None] | None = None

    def close(self) -> None:
        """Nobody needs it any more. Never waits."""
        self._closing.set()

    async def list_tools(self, limit_s: float) -> tuple[ToolSpec, ...]:
        """All tools of the server, in its order.

        Raises:
            ServerAway: it could not be asked, or did not answer in time.
        """
        try:
            async with asyncio.timeout(limit_s):
                return await self._listed()
        except TimeoutError:
            raise ServerAway(f"it did not answer in {limit_s:g} s") from None
        except Exception as error:  # noqa: BLE001 - the client of others; what it raises is wide
            logger.warning("MCP server %r: no list of tools: %s", self._label, _detail(error))
            raise ServerAway(_reason(error)) from None

    async def call(self, name: str, arguments: str, context: ToolContext) -> ToolOutcome:
        """Call a tool; see `Tool.call`."""
        try:
            given = _arguments.decode(arguments or "{}")
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            return ToolOutcome(f"The arguments are not valid: {error}", "bad_arguments")
        try:
            async with asyncio.timeout(context.timeout_s):
                client = await self._client()
                result = await client.call_tool(name, given)
        except TimeoutError:
            return ToolOutcome("The tool did not answer in time", "timeout")
        except MCPError as error:
            return ToolOutcome(f"The tool failed: {error.message[:1000]}", "failed")
        except Exception as error:  # noqa: BLE001 - the client of others; what it raises is wide
            logger.warning("MCP server %r: no call: %s", self._label, _detail(error))
            return ToolOutcome("The tool's server could not be asked", "unavailable")
        return outcome_of(result, context.max_chars)

    async def _listed(self) -> tuple[ToolSpec, ...]:
        client = await self._client()
        specs: list[ToolSpec] = []
        cursor: str | None = None
        for _ in range(_MAX_PAGES):
            page = await client.list_tools(cursor=cursor)
            specs += [spec for tool in page.tools if (spec := spec_of(tool)) is not None]
            cursor = page.next_cursor
            if cursor is None:
                break
        return tuple(specs)

    async def _client(self) -> Client:
        """The open session; a new one where the last has broken."""
        if self._task is None or self._task.done():
            loop = asyncio.get_running_loop()
            self._opened = loop.create_future()
            self._task = loop.create_task(self._own(self._opened), name="MCP session")
            self._begun(self._task)
        assert self._opened is not None
        return await asyncio.shield(self._opened)

    async def _own(self, opened: asyncio.Future[Client]) -> None:
        """Open the session, keep it until it is closed."""
        loop = asyncio.get_running_loop()
        info = Implementation(name="serve-app", version=serve_app.__version__)
        try:
            async with asyncio.timeout(None) as limit, self._connect() as http:
                transport = streamable_http_client(self._url, http_client=http)
                async with Client(transport, client_info=info, cache=None) as client:
                    opened.set_result(client)
                    await self._closing.wait()
                    limit.reschedule(loop.time() + _CLOSE_S)
        except Exception as error:  # noqa: BLE001 - whoever waits for it is told; nobody else can be
            if opened.done():
                logger.info("MCP server %r: the session ended: %s", self._label, _detail(error))
            else:
                opened.set_exception(ServerAway(_reason(error)))
                opened.exception()  # the waiter may be gone
        finally:
            if not opened.done():
                opened.cancel()


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _reason(error: BaseException) -> str:
    """What went wrong, for who named the server: nothing of what stands behind it."""
    error = _first(error)
    if isinstance(error, ServerAway | Forbidden):
        return str(error)
    return "it answered with an error" if isinstance(error, MCPError) else "it cannot be reached"


def _detail(error: BaseException) -> str:
    """What went wrong, for the log: messages of the protocol, of others the class alone, as they
    may hold addresses with secrets in them."""
    error = _first(error)
    if isinstance(error, MCPError):
        return error.message[:200]
    return str(error) if isinstance(error, ServerAway | Forbidden) else type(error).__name__
