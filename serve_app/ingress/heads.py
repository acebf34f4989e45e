"""Response headers that say who answered, from where, and for how much."""

from __future__ import annotations

import re

from serve_app.core.money import usd
from serve_app.core.tools import ToolStep
from serve_app.ingress.http import Headers
from serve_app.pipeline import Facts

_STORED = frozenset({"l1", "l2", "semantic"})

_STATUS = {
    "l1": b"serve-app; hit; detail=l1",
    "l2": b"serve-app; hit; detail=l2",
    "semantic": b"serve-app; hit; detail=semantic",
    "flight": b"serve-app; fwd=miss; collapsed",
    "miss": b"serve-app; fwd=miss",
    "bypass": b"serve-app; fwd=request",
}
"""`Cache-Status` as in RFC 9211."""

_MOST_CALLS = 16
_STRANGE = re.compile(r"[^A-Za-z0-9._-]")
"""What servers call their tools may be anything."""

_STALE = b"serve-app; hit; detail=stale"


def head(facts: Facts) -> Headers:
    """The headers of a reply.

    The cost of a stream is not known when its head goes out, so it is not there.
    """
    headers: Headers = [
        (b"x-serve-app-backend", facts.backend.encode()),
        (b"x-serve-app-model", facts.model.encode("ascii", "replace")),
        (b"x-serve-app-cache", facts.cache.encode()),
    ]
    if facts.attempts > 1:
        headers.append((b"x-serve-app-attempts", b"%d" % facts.attempts))
    if facts.usage is not None or facts.cache == "flight":  # whoever shares a call pays nothing
        headers.append((b"x-serve-app-cost-usd", usd(facts.cost_micro_usd).encode()))
    if facts.fingerprint:
        headers.append((b"x-serve-app-fingerprint", facts.fingerprint.encode()))
    if (status := _STATUS.get(facts.cache)) is not None:
        headers.append((b"cache-status", _STALE if facts.is_stale else status))
    if facts.cache in _STORED:
        headers.append((b"age", b"%d" % facts.age_s))
    if facts.session_kept is False:
        headers.append((b"x-serve-app-session", b"not-kept"))
    if told := _filter_says(facts):
        headers.append((b"x-serve-app-filter", told.encode("ascii", "replace")))
    if facts.tool_steps:
        headers.append((b"x-serve-app-tools", _tools_say(facts)))
    headers += [(name.encode(), value.encode()) for name, value in facts.limits.items()]
    return headers


def _tools_say(facts: Facts) -> bytes:
    """The calls of tools that ran here, in order: `weather;ms=12, docs.search;ms=501;error=timeout`
    (a list as in RFC 9110, 5.6.1; of many the first)."""
    told = [_call_says(step) for step in facts.tool_steps[:_MOST_CALLS]]
    return ", ".join(told).encode("ascii", "replace")


def _call_says(step: ToolStep) -> str:
    name = f"{step.server}.{step.name}" if step.server else step.name
    error = f";error={step.error}" if step.error else ""
    return f"{_STRANGE.sub('_', name)[:64]};ms={step.ms:.0f}{error}"


def _filter_says(facts: Facts) -> str:
    """The rule that ended the answer, and those that warn."""
    ended = [f"block={facts.blocked}"] if facts.blocked else []
    return ", ".join(ended + [f"warn={rule}" for rule in facts.warnings])
