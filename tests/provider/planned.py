"""A behaviour that does what its user writes: a list of answers in JSON, one for each round of a
tool loop.

    [{"say": "Let me look.", "calls": [["weather", {"city": "Oslo"}]]}, {"say": "So: {results}"}]

Of a round past the end the last answer is given again. A model that may not call (`tool_choice`
is `none`, or the function is not among the tools) says what it has been told so far instead, but
with `"stubborn": true` it calls all the same.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from acting import SSE, behaves, last_chunks
from answers import DONE, chunk, completion, event, last_user_text, pieces_of
from connection import Exchange, Request
from toolplay import tool_results


@behaves(r"planned(?:-(\d+)ms)?")
async def planned(
    body: dict[str, Any], exchange: Exchange, request: Request, pause_ms: str | None
) -> None:
    """The round's answer, after a pause."""
    await asyncio.sleep(int(pause_ms or 0) / 1000)
    step = _step(body)
    text = str(step.get("say") or "").replace("{results}", " / ".join(tool_results(body)))
    calls = [_call(n, *call) for n, call in enumerate(step.get("calls") or ())]
    finish = step.get("finish") or ("tool_calls" if calls else "stop")
    if not body.get("stream"):
        message: dict[str, Any] = {"content": text or None}
        if calls:
            message["tool_calls"] = calls
        exchange.whole(200, completion(body, message, tokens=3, finish_reason=finish))
        return
    exchange.begin(SSE)
    for payload in _chunks(body, text, calls, finish):
        exchange.send(event(payload))
        await exchange.flushed()
    exchange.send(DONE)
    exchange.end()


def _step(body: dict[str, Any]) -> dict[str, Any]:
    plan = json.loads(last_user_text(body))
    step: dict[str, Any] = plan[min(_round(body), len(plan) - 1)]
    allowed = {tool["function"]["name"] for tool in body.get("tools") or ()}
    if body.get("tool_choice") == "none":
        allowed = set()
    calls = step.get("calls") or []
    if calls and not step.get("stubborn") and not all(call[0] in allowed for call in calls):
        return {"say": "Enough: {results}"}
    return step


def _round(body: dict[str, Any]) -> int:
    """Answers with calls since the last user message."""
    count = 0
    for message in reversed(body["messages"]):
        if message["role"] == "user":
            break
        count += bool(message.get("tool_calls"))
    return count


def _call(number: int, name: str, arguments: Any) -> dict[str, Any]:
    written = arguments if isinstance(arguments, str) else json.dumps(arguments)
    function = {"name": name, "arguments": written}
    return {"id": f"call_{name}_{number}", "type": "function", "function": function}


def _chunks(
    body: dict[str, Any], text: str, calls: list[dict[str, Any]], finish: str
) -> list[bytes]:
    made = [chunk(body, {"role": "assistant", "content": ""})]
    if text:
        made += [chunk(body, {"content": piece}) for piece in pieces_of(text)]
    for index, call in enumerate(calls):
        function = call["function"]
        begun = {**call, "index": index, "function": {**function, "arguments": ""}}
        made.append(chunk(body, {"tool_calls": [begun]}))
        half = len(function["arguments"]) // 2
        for piece in (function["arguments"][:half], function["arguments"][half:]):
            part = {"index": index, "function": {"arguments": piece}}
            made.append(chunk(body, {"tool_calls": [part]}))
    return made + last_chunks(body, 3, finish)
