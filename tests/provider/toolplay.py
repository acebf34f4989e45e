"""Behaviours that call tools, and say what the tools said."""

from __future__ import annotations

from typing import Any

from acting import SSE, behaves, last_chunks, ok, one_packet_each, say
from answers import chunk, completion, event, pieces_of, text_of
from connection import Exchange, Request

CITIES = ("Paris", "Oslo")
ARGUMENTS = {city: ['{"city"', f': "{city[:3]}', f'{city[3:]}"}}'] for city in CITIES}
"""The arguments of a call for each city, in the pieces they are streamed in."""


@behaves(r"tools(-parallel)?")
async def tools(
    body: dict[str, Any], exchange: Exchange, request: Request, parallel: str | None
) -> None:
    """A call of the first tool (or two at once); once its result is there, a text."""
    if results := tool_results(body):
        await say(body, exchange, pieces_of("The tools said: " + " / ".join(results)))
        return
    cities = CITIES if parallel else CITIES[:1]
    if not body.get("stream"):
        calls = [_call(body, n, "".join(ARGUMENTS[city])) for n, city in enumerate(cities)]
        message = {"content": None, "tool_calls": [_without_index(call) for call in calls]}
        exchange.whole(200, completion(body, message, finish_reason="tool_calls"))
        return
    chunks = [chunk(body, delta) for delta in deltas(body, cities)]
    await one_packet_each(exchange, chunks + last_chunks(body, 4, finish="tool_calls"))


@behaves(r"agent")
async def agent(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    """As models do: calls a tool where there are some, and says something where there are none."""
    if body.get("tools") and body.get("tool_choice") != "none":
        await tools(body, exchange, request, None)
    else:
        await ok(body, exchange)


@behaves(r"tools-cut-after-(\d+)")
async def cut_tools(body: dict[str, Any], exchange: Exchange, request: Request, n: str) -> None:
    """The connection closes after so many pieces of the arguments."""
    exchange.begin(SSE)
    for delta in deltas(body, CITIES[:1])[: 1 + int(n)]:
        exchange.send(event(chunk(body, delta)))
        await exchange.flushed()
    exchange.cut()


def tool_results(body: dict[str, Any]) -> list[str]:
    """Texts of the tool messages at the end of a request."""
    results: list[str] = []
    for message in reversed(body["messages"]):
        if message["role"] != "tool":
            break
        results.insert(0, text_of(message.get("content")))
    return results


def deltas(body: dict[str, Any], cities: tuple[str, ...]) -> list[dict[str, Any]]:
    """The calls as a stream has them: all are begun, then their arguments come in turns."""
    begun = [_call(body, n, "") for n in range(len(cities))]
    out = [{"role": "assistant", "content": None, "tool_calls": begun}]
    for at in range(len(ARGUMENTS[CITIES[0]])):
        for n, city in enumerate(cities):
            piece = {"index": n, "function": {"arguments": ARGUMENTS[city][at]}}
            out.append({"tool_calls": [piece]})
    return out


def _call(body: dict[str, Any], number: int, arguments: str) -> dict[str, Any]:
    function = {"name": _tool_name(body), "arguments": arguments}
    return {
        "index": number, "id": f"call_{number + 1}", "type": "function", "function": function,
    }  # fmt: skip


def _without_index(call: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in call.items() if name != "index"}


def _tool_name(body: dict[str, Any]) -> str:
    """The name of the request's first tool."""
    for tool in body.get("tools") or ():
        return str(tool["function"]["name"])
    return "get_weather"
