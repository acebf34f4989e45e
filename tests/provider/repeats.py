"""Behaviours that say the user's last text again, in pieces that cut it anywhere."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from acting import FOREVER_S, SSE, behaves, last_chunks, one_packet_each
from answers import chunk, completion, event, last_user_text
from connection import Exchange, Request


def deltas(kind: str, text: str, size: int) -> list[dict[str, Any]]:
    """`kind`: whether it is an answer, a thought, or the arguments of a call."""
    if kind == "call":
        text = json.dumps({"said": text}, ensure_ascii=False)
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    if kind != "call":
        field = "content" if kind == "text" else "reasoning_content"
        return [{field: piece} for piece in pieces]
    function = {"name": "note", "arguments": ""}
    begun = {"index": 0, "id": "call_1", "type": "function", "function": function}
    rest = [{"index": 0, "function": {"arguments": piece}} for piece in pieces]
    return [{"role": "assistant", "tool_calls": [one]} for one in (begun, *rest)]


@behaves(r"repeat-(text|thought|call)-(\d+)(-stuck)?")
async def repeat(
    body: dict[str, Any],
    exchange: Exchange,
    request: Request,
    kind: str,
    size: str,
    stuck: str | None,
) -> None:
    """Pieces of so many characters; `stuck`: then nothing more comes."""
    text = last_user_text(body)
    finish = "tool_calls" if kind == "call" else "stop"
    if not body.get("stream"):
        exchange.whole(200, completion(body, _message(kind, text), finish_reason=finish))
        return
    chunks = [
        chunk(body, delta, index=index)
        for index in range(body.get("n") or 1)
        for delta in deltas(kind, text, int(size))
    ]
    if stuck is None:
        await one_packet_each(exchange, chunks + last_chunks(body, len(chunks), finish=finish))
        return
    exchange.begin(SSE)
    for payload in chunks:
        exchange.send(event(payload))
        await exchange.flushed()
    await asyncio.sleep(FOREVER_S)


def _message(kind: str, text: str) -> dict[str, Any]:
    if kind == "text":
        return {"content": text}
    if kind == "thought":
        return {"content": "Done.", "reasoning_content": text}
    arguments = json.dumps({"said": text}, ensure_ascii=False)
    function = {"name": "note", "arguments": arguments}
    return {
        "content": None,
        "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
    }
