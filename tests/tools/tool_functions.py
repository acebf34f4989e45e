"""Functions that policies of these tests name as tools."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import Annotated, Any, Literal

import msgspec

from serve_app.tools.base import ToolContext, ToolError

CALLS: list[str] = []
"""Cities that `weather` was asked for, in order."""
GATE = threading.Event()
"""What `stuck` waits for."""
RUNNING: set[str] = set()
MOST: list[int] = [0]


class Place(msgspec.Struct):
    lat: float
    lon: float = 0.0


def weather(city: str, unit: Literal["C", "F"] = "C") -> str:
    """The weather of a city.

    Args:
        city: Its name,
            in English.
        unit: Of the temperature.

    Returns:
        A sentence.
    """
    CALLS.append(city)
    return f"{city}: 20 {unit}"


async def distance(start: Place, end: Place, /) -> float:
    """Arguments by position only."""
    return start.lat - end.lat


async def near(
    place: Place, names: list[str] | None = None, *, most: Annotated[int, msgspec.Meta(gt=0)] = 3
) -> dict[str, Any]:
    """What is near a place."""
    return {"lat": place.lat, "names": (names or [])[:most]}


async def who(context: ToolContext, greeting: str = "hello") -> str:
    """Who asks."""
    return f"{greeting} {context.tenant} {context.user}"


def refuses(why: str) -> str:
    """Always says no."""
    raise ToolError(f"no: {why}")


def breaks() -> str:
    """Fails with a secret in its error."""
    raise ValueError("the password is hunter2")


def leaves() -> str:
    """Ends the process, or would."""
    sys.exit(3)


async def leaves_the_loop() -> str:
    """Ends the loop, or would."""
    raise SystemExit(3)


async def gives_up() -> str:
    """Cancels itself."""
    raise asyncio.CancelledError


async def waits_for_ever() -> str:
    """Never answers."""
    RUNNING.add("waits_for_ever")
    try:
        await asyncio.Event().wait()
    finally:
        RUNNING.discard("waits_for_ever")
    return ""


def stuck() -> str:
    """Blocks until the gate opens."""
    GATE.wait(30)
    return "free"


def strange() -> Any:
    """Gives what is no JSON."""
    return object()


def long(chars: int) -> str:
    """So many letters."""
    return "x" * chars


async def together(name: str, of: int) -> str:
    """Answers when so many calls are under way at once."""
    RUNNING.add(name)
    MOST[0] = max(MOST[0], len(RUNNING))
    try:
        async with asyncio.timeout(5):
            while MOST[0] < of:
                await asyncio.sleep(0.001)
    finally:
        RUNNING.discard(name)
    return name


def untyped(city) -> str:  # type: ignore[no-untyped-def]
    """Has no annotation."""
    return str(city)


NOT_CALLABLE = 3
