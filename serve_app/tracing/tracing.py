"""Tracing of one process: requests get their place in a trace, and become spans when over."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from serve_app.config.tracing_policy import TracingPolicy
from serve_app.core.settlement import Settlement
from serve_app.core.trail import Trail
from serve_app.observe.observer import RequestEnd
from serve_app.tracing.courier import Courier
from serve_app.tracing.sampler import Sampler
from serve_app.tracing.sketcher import Sketcher

CLOSE_S: Final = 3.0
"""For what waits to be sent when a process ends."""


class Tracing:
    """Tells a collector of requests. A sink (see `observe/observer.py`).

    Make it only where tracing is wanted: without it nothing of this room does anything.

    Args:
        endpoint: of the collector, with its path: `http://HOST:4318/v1/traces`.
        resource: what tells this process from others: `service.name`, `service.instance.id`...
        providers: by backend, its provider as OpenTelemetry calls it.
    """

    def __init__(
        self,
        policy: TracingPolicy,
        endpoint: str,
        resource: Mapping[str, str],
        version: str,
        providers: Mapping[str, str],
    ) -> None:
        self._providers = providers
        self._sampler = Sampler(policy)
        self._courier = Courier(endpoint, resource, version, self._sketcher(policy))
        self._is_on = policy.enabled

    @property
    def lost(self) -> int:
        """Requests whose spans never arrived."""
        return self._courier.lost

    def start(self) -> None:
        """Begin to send."""
        self._courier.start()

    def reconfigure(self, policy: TracingPolicy) -> None:
        """Use another policy from now on."""
        self._is_on = policy.enabled
        self._sampler.reconfigure(policy)
        self._courier.sketcher = self._sketcher(policy)

    def _sketcher(self, policy: TracingPolicy) -> Sketcher:
        return Sketcher(self._providers, content=policy.content)

    def begin(self, trail: Trail) -> None:
        """Give a request that begins its place in a trace."""
        if self._is_on and trail.span is None:
            self._sampler.begin(trail)

    def take(self, ends: list[RequestEnd], settled: list[Settlement]) -> None:
        """Send the spans of those that are wanted."""
        if not self._is_on:
            return
        wants, put = self._sampler.wants, self._courier.put
        for end in ends:
            if wants(end):
                self.begin(end.trail)  # one that began before tracing was on
                put(end)

    async def close(self) -> None:
        """Send what waits, as far as there is time."""
        await asyncio.to_thread(self._courier.close, CLOSE_S)
