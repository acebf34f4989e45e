"""The scripted provider's `POST /v1/moderations`, as OpenAI's: a judgement for each text.

Texts say what is in them: `violence` and `self-harm` are flagged, `rude` only has a score. The
behaviours of the chat side that say nothing of a chat (`status-503`, `reset-before-headers`) hold
here, too.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

import behaviours
from answers import encode
from connection import Exchange, Request
from registry import Registry
from vectors import inputs

DEFAULT = "omni-moderation-latest"
_FLAGGED = ("violence", "self-harm")
_FAILING = re.compile(r"status-.+|no-response|reset-before-headers|malformed-body|leaky|auth")
"""Behaviours of the chat side that say nothing of a chat."""

_registry = Registry()
behaves = _registry.behaves


async def act(name: str, request: Request, exchange: Exchange) -> None:
    """Judge the texts of a request as the named behaviour does."""
    body = request.json()
    if _FAILING.fullmatch(name):
        await behaviours.play(name, body, exchange, request)
    else:
        await _registry.play(name, body, exchange, request, otherwise=ok)


def model_of(path: str, body: dict[str, Any]) -> str:
    return str(body.get("model") or DEFAULT)


def judgement(text: str) -> dict[str, Any]:
    scores = {name: 0.4 if name in text else 0.001 for name in _FLAGGED}
    scores["harassment"] = 0.8 if "rude" in text else 0.002
    categories = {name: name in text for name in (*_FLAGGED, "harassment")}
    # What this model does not know is null, as in OpenAI's older ones.
    return {
        "flagged": any(categories.values()),
        "categories": {**categories, "illicit": None},
        "category_scores": {**scores, "illicit": None},
    }


async def ok(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    _say(body, exchange, [judgement(text) for text in inputs(body["input"])])


@behaves(r"slow-(\d+)ms")
async def slow(body: dict[str, Any], exchange: Exchange, request: Request, ms: str) -> None:
    await asyncio.sleep(int(ms) / 1000)
    await ok(body, exchange, request)


@behaves(r"one-short")
async def one_short(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    _say(body, exchange, [judgement(text) for text in inputs(body["input"])][1:])


@behaves(r"bare-flag")
async def bare_flag(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    """Flagged, and not said for what."""
    _say(body, exchange, [{"flagged": True} for _ in inputs(body["input"])])


@behaves(r"reset-once")
async def reset_once(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    """The first connection breaks, as one does that was idle for too long."""
    if request.number == 1:
        exchange.reset()
    else:
        await ok(body, exchange, request)


def _say(body: dict[str, Any], exchange: Exchange, results: list[dict[str, Any]]) -> None:
    exchange.whole(200, encode({"id": "modr-1", "model": model_of("", body), "results": results}))
