"""An executor at work over the scripted provider."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from backend_calls import chat, collect, plan, text_of

from serve_app.backends.base import Backend
from serve_app.backends.execute import Answer, Executor
from serve_app.config.policy import ExecutionPolicy
from serve_app.core.clock import SystemClock
from serve_app.core.errors import (
    GatewayError,
)
from serve_app.core.plan import Candidate
from serve_app.core.trail import Trail
from serve_app.routing.estimate import estimate_tokens
from serve_app.vitals.book import Vitals

Body = Callable[[Candidate], dict[str, bytes]]


class Desk:
    """An executor; pauses before a second try are noted, not waited."""

    def __init__(self, *backends: Backend) -> None:
        self.pauses: list[float] = []
        self.trail = Trail("req-1")
        self.clock = SystemClock()
        self.vitals = Vitals(self.clock)
        self.executor = Executor(
            {backend.name: backend for backend in backends},
            self.vitals,
            self.clock,
            random.Random(7),
            estimate_tokens,
            self._sleep,
        )

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    async def start(
        self,
        *names: str,
        stream: bool = True,
        within_s: float = 20.0,
        prepare: Body | None = None,
        rules: ExecutionPolicy | None = None,
        **fields: Any,
    ) -> Answer:
        deadline = self.clock.monotonic() + within_s
        request = chat(stream=stream, **fields)
        return await self.executor.start(
            plan(*names), request, self.trail, deadline, rules or ExecutionPolicy(), prepare
        )

    async def answer(self, *names: str, **how: Any) -> tuple[str, Answer]:
        answer = await self.start(*names, **how)
        return text_of(await collect(answer.chunks)), answer

    async def fail(self, *names: str, **how: Any) -> GatewayError:
        with pytest.raises(GatewayError) as caught:
            await self.start(*names, **how)
        return caught.value

    def outcomes(self) -> list[str]:
        return [note.decision for note in self.trail.notes]

    async def open_breaker(self, name: str) -> None:
        """Let a candidate fail until it is left alone."""
        backend, model = name.split("/")
        while not self.vitals.of(backend, model).breaker.is_open:
            await self.fail(name)
