"""Python functions of the policy's owner as tools: imported by name, checked, limited in time."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from msgspec import Struct

from serve_app.config.tools_policy import PythonTool as Settings
from serve_app.core.errors import PolicyRejected
from serve_app.core.tools import ToolSpec
from serve_app.tools.base import ToolContext, ToolError, ToolOutcome, within
from serve_app.tools.signature import Signature, signature_of
from serve_app.tools.threads import Full, Places

logger = logging.getLogger(__name__)


class PythonTool:
    """Implements `Tool` for one function. A plain one runs in a thread, an async one in the loop.

    Args:
        settings: the policy's.
        place: where they stand, for error messages: `tools.python['NAME']`.

    Raises:
        PolicyRejected: there is no such function, or its signature says not enough.
    """

    server = ""

    def __init__(self, settings: Settings, place: str) -> None:
        where = f"{place}.function: {settings.function!r}"
        self._function = _imported(settings.function, where)
        self._signature = _read(self._function, where)
        self._is_async = inspect.iscoroutinefunction(self._function)
        self._timeout_s = settings.timeout_s
        self._places = Places()
        told = settings.description or self._signature.description
        self.spec = ToolSpec(settings.name, told, self._signature.schema, read_only=settings.pure)
        self.source, self.is_pure = settings.name, settings.pure

    async def call(self, arguments: str, context: ToolContext) -> ToolOutcome:
        try:
            given = msgspec.json.decode(arguments or "{}", type=self._signature.arguments)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            return ToolOutcome(f"The arguments are not valid: {error}", "bad_arguments")
        limit = asyncio.timeout(min(context.timeout_s, self._timeout_s or context.timeout_s))
        try:
            async with limit:
                result = await self._run(given, context)
        except Full:
            return ToolOutcome("Too many calls of this tool are still running", "unavailable")
        except ToolError as error:
            return within(str(error), context.max_chars, "failed")
        except asyncio.CancelledError:
            if _is_cancelled():
                raise
            return ToolOutcome("The tool gave up", "failed")
        except (Exception, SystemExit) as error:  # noqa: BLE001 - code of others
            if limit.expired():
                return ToolOutcome("The tool did not answer in time", "timeout")
            logger.warning("tool %r raised %s", self.spec.name, type(error).__name__)
            return ToolOutcome(f"The tool failed: {type(error).__name__}", "failed")
        return self._told(result, context.max_chars)

    async def _run(self, given: Struct, context: ToolContext) -> Any:
        values = {name: getattr(given, name) for name in given.__struct_fields__}
        if self._signature.context:
            values[self._signature.context] = context
        if self._is_async:
            return await self._function(**values)
        return await self._places.run(lambda: self._function(**values))

    def _told(self, result: Any, max_chars: int) -> ToolOutcome:
        """The result as text; what is no text as JSON."""
        if isinstance(result, str):
            return within(result, max_chars)
        try:
            return within(msgspec.json.encode(result).decode(), max_chars)
        except (TypeError, ValueError, RecursionError, msgspec.MsgspecError) as error:
            logger.warning("tool %r gave no JSON: %s", self.spec.name, error)
            return ToolOutcome("The tool gave a result that is no JSON", "failed")


def _is_cancelled() -> bool:
    """Whether the running task is to end; else a tool has raised `CancelledError` of its own."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def _read(function: Callable[..., Any], where: str) -> Signature:
    try:
        return signature_of(function)
    except (TypeError, NameError, ValueError) as error:
        raise PolicyRejected(f"{where}: {error}") from None


def _imported(path: str, where: str) -> Callable[..., Awaitable[Any] | Any]:
    module_name, _, name = path.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
        for part in name.split("."):
            found = getattr(found, part)
    except Exception as error:  # noqa: BLE001 - a module of others may raise anything
        raise PolicyRejected(f"{where}: {type(error).__name__}: {error}") from None
    if not callable(found):
        raise PolicyRejected(f"{where}: is not callable but a {type(found).__name__}")
    checked: Callable[..., Any] = found
    return checked
