"""The one place requests report to when they end; metrics and log lines are made from there.

Reporting costs the request an append to a list. What has gathered becomes counters and log lines
later, so neither is ever on the request path; but not much later: of many at once the event loop
would notice.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable
from typing import Final, Protocol

from msgspec import Struct

from serve_app.core.settlement import Settlement
from serve_app.core.trail import Trail
from serve_app.core.types import ChatRequest, Identity, Usage

logger = logging.getLogger(__name__)

_MANY: Final = 64
"""So many are handed on at once: a millisecond or two, in which the event loop does nothing else.
Half a second's can be a thousand."""


class Known(Protocol):
    """The facts of a reply."""

    identity: Identity
    backend: str
    model: str
    cache: str
    usage: Usage | None
    cost_micro_usd: int
    first_content_ms: float | None
    saved_micro_usd: int
    session_id: str
    asked: ChatRequest | None


class RequestEnd(Struct, gc=False):
    """How one request ended."""

    trail: Trail
    route: str
    status: int
    duration_s: float
    tenant: str = ""
    user: str = ""
    backend: str = ""
    model: str = ""
    cache: str = "none"
    streamed: bool = False
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_micro_usd: int = 0
    first_content_s: float | None = None
    error: str = ""
    team: str = ""
    key_id: str = ""
    saved_micro_usd: int = 0
    session: str = ""
    asked: ChatRequest | None = None
    """What was asked, as the filter has left it, where that is to be kept."""

    @property
    def is_failure(self) -> bool:
        """Something went wrong here, or behind us: more than a request that was refused."""
        return self.status >= 500 or (bool(self.error) and self.status < 400)

    def learn(self, known: Known) -> None:
        """Take over what is known of the reply, by its end."""
        self.tenant, self.user = known.identity.tenant, known.identity.user
        self.backend, self.model, self.cache = known.backend, known.model, known.cache
        self.team, self.key_id = known.identity.team, known.identity.key_id
        self.cost_micro_usd, self.saved_micro_usd = known.cost_micro_usd, known.saved_micro_usd
        self.session, self.asked = known.session_id, known.asked
        if known.usage is not None:
            self.prompt_tokens = known.usage.prompt_tokens
            self.completion_tokens = known.usage.completion_tokens
        if known.first_content_ms is not None and self.streamed:
            self.first_content_s = known.first_content_ms / 1000


class Sink(Protocol):
    """Somebody who wants to know what happened; called outside any request, and never waits."""

    def take(self, ends: list[RequestEnd], settled: list[Settlement]) -> None:
        """
        Args:
            ends: requests that ended.
            settled: what requests came to, also of those that run beside (a cache entry made anew,
                a summary); one may come before or after the end of its request.
        """


class Observer:
    """Collects ends of requests and settlements, and hands them to its sinks: when there are many,
    and twice a second."""

    def __init__(self, sinks: list[Sink], *, interval_s: float = 0.5, limit: int = 20_000) -> None:
        self._sinks = sinks
        self._interval_s = interval_s
        self._limit = limit
        self._ends: list[RequestEnd] = []
        self._settled: list[Settlement] = []
        self._task: asyncio.Task[None] | None = None
        self._soon: asyncio.Handle | None = None
        self.dropped = 0
        self.on_begin: Callable[[Trail], object] | None = None
        """Told of each request that begins; None: nobody wants to know."""

    def start(self) -> None:
        loop, self._context = asyncio.get_running_loop(), contextvars.Context()
        self._task = loop.create_task(self._run(), name="observer", context=self._context)

    def begin(self, trail: Trail) -> None:
        if self.on_begin is not None:
            self.on_begin(trail)

    def ended(self, end: RequestEnd) -> None:
        if len(self._ends) >= self._limit:
            self.dropped += 1
            return
        if not end.tenant and (who := end.trail.who) is not None:  # it came to no reply
            end.tenant, end.user, end.team, end.key_id = who.tenant, who.user, who.team, who.key_id
        self._ends.append(end)
        if len(self._ends) >= _MANY and self._soon is None and self._task is not None:
            loop = self._task.get_loop()
            self._soon = loop.call_soon(self.flush, context=self._context)

    def settled(self, settled: Settlement) -> None:
        if len(self._settled) >= self._limit:
            self.dropped += 1
            return
        self._settled.append(settled)

    def flush(self) -> None:
        """Hand over what has gathered."""
        self._soon = None
        ends, self._ends = self._ends, []
        settled, self._settled = self._settled, []
        if not ends and not settled:
            return
        for sink in self._sinks:
            try:
                sink.take(ends, settled)
            except Exception:
                logger.exception("%s could not take %d ends", type(sink).__name__, len(ends))

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self.flush()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval_s)
            self.flush()
