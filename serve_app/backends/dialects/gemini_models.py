"""What each generation of Gemini takes to think: a model's name and an effort in, fields out.

https://ai.google.dev/gemini-api/docs/thinking
"""

from __future__ import annotations

import re

from serve_app.backends.dialects.canonical_request import Json

_VERSION = re.compile(r"gemini-(\d+)")

_LEVELS = {"low": "low", "medium": "medium", "high": "high"}
_BUDGETS = {"minimal": 1024, "low": 1024, "medium": 8192, "high": 24_576}
"""Tokens by effort, as Google's own OpenAI endpoint has them."""

_MOST = 24_576
_LEAST_OF_PRO = 128
"""Gemini 2.5 Pro cannot stop thinking; this is the least budget that it takes."""


def generation(model: str) -> int:
    """The number after `gemini-`; a name without one counts as the newest."""
    found = _VERSION.search(model)
    return int(found[1]) if found else 99


def thinking_config(model: str, effort: str) -> Json:
    """`generationConfig.thinkingConfig` for an effort; what is thought comes back unless the
    effort is none."""
    shown: Json = {} if effort == "none" else {"includeThoughts": True}
    if generation(model) >= 3:
        return {"thinkingLevel": _level(model, effort), **shown}
    if effort == "none":
        return {"thinkingBudget": 0 if "flash" in model else _LEAST_OF_PRO}
    return {"thinkingBudget": _BUDGETS.get(effort, _MOST), **shown}


def _level(model: str, effort: str) -> str:
    """Only the Flash models go below low; no model stops."""
    if effort in ("none", "minimal"):
        return "minimal" if "flash" in model else "low"
    return _LEVELS.get(effort, "high")


def wants_signatures(model: str) -> bool:
    """True if a call of a function without the signature of its thought is a 400."""
    return generation(model) >= 3
