"""Whose API a request is for: its path in, how it is read and answered out."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

import anthropic_side
import behaviours
import gemini_side
import moderation_side
from connection import Exchange, Request

_GEMINI = re.compile(r"/v1beta/models/([^/:]+):(\w+)")


@dataclass(frozen=True)
class Side:
    """One provider's API."""

    act: Callable[[str, Request, Exchange], Awaitable[None]]
    model: Callable[[str, dict[str, Any]], str] = lambda path, body: str(body["model"])
    """From path and body."""
    streams: Callable[[str, dict[str, Any]], bool] = lambda path, body: bool(body.get("stream"))


OPENAI = Side(behaviours.act)
ANTHROPIC = Side(anthropic_side.act)
GEMINI = Side(
    gemini_side.act,
    model=lambda path, body: _gemini_model(path),
    streams=lambda path, body: "streamGenerateContent" in path,
)
MODERATION = Side(moderation_side.act, model=moderation_side.model_of)


def side_of(path: str) -> Side | None:
    """None for a path that is nobody's."""
    if path in ("/v1/chat/completions", "/v1/embeddings"):
        return OPENAI
    if path == "/v1/moderations":
        return MODERATION
    if path == "/v1/messages":
        return ANTHROPIC
    return GEMINI if _GEMINI.fullmatch(path) else None


def _gemini_model(path: str) -> str:
    found = _GEMINI.fullmatch(urlsplit(path).path)
    return unquote(found[1]) if found else ""
