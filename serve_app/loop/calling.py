"""Calls of one answer, made side by side: each bounded, noted in the trail, and told the model."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from msgspec import Struct

from serve_app.core.tools import ToolStep
from serve_app.core.trail import Trail
from serve_app.core.types import Identity
from serve_app.loop.bounds import Bounds
from serve_app.loop.said import Said, name_of
from serve_app.tools.base import ToolContext, ToolOutcome
from serve_app.tools.toolbox import Toolbox

Json = dict[str, Any]


class Calling(Struct, frozen=True):
    """Makes the calls of one request."""

    box: Toolbox
    bounds: Bounds
    trail: Trail
    identity: Identity

    def here(self, said: Said) -> list[Json]:
        """The calls of an answer that are of tools that run here."""
        return [call for call in said.calls if name_of(call) in self.box.tools]

    def announced(self, said: Said, calls: list[Json]) -> list[ToolStep]:
        """Calls that are about to be made."""
        steps = [self._step(call) for call in calls]
        steps[0].said = said.texts.get("content", "")
        return steps

    def _step(self, call: Json) -> ToolStep:
        tool, arguments = self.box.tools[name_of(call)], call["function"]["arguments"]
        spec = tool.spec
        return ToolStep(call["id"], spec.name, tool.server, arguments, step=self.bounds.step)

    async def made(self, calls: list[Json], steps: list[ToolStep]) -> list[Json]:
        """Make the calls; the messages that tell of their results, in the same order.

        Args:
            steps: as announced; they are filled in.
        """
        places = asyncio.Semaphore(self.bounds.limits.max_parallel)
        async with asyncio.TaskGroup() as group:
            for call, step in zip(calls, steps, strict=True):
                group.create_task(self._make(name_of(call), step, places))
        return [_message(step) for step in steps]

    async def _make(self, name: str, step: ToolStep, places: asyncio.Semaphore) -> None:
        async with places:
            began = time.perf_counter()
            outcome = await self._outcome(name, step.arguments)
            step.ms = round((time.perf_counter() - began) * 1000, 3)
        step.output, step.error = outcome.text, outcome.error
        step.state = "failed" if outcome.error else "completed"
        self.trail.note(
            "tool",
            outcome.error or "ok",
            tool=step.name,
            server=step.server,
            source=self.box.tools[name].source,
            ms=step.ms,
            arguments_chars=len(step.arguments),
            result_chars=len(step.output),
            cut_chars=outcome.cut,
        )

    async def _outcome(self, name: str, arguments: str) -> ToolOutcome:
        limit_s = self.bounds.call_s()
        if limit_s <= 0:
            return ToolOutcome("Not called: the time for calls is over", "limit")
        if not self.bounds.take_call():
            return ToolOutcome("Not called: no more calls may be made", "limit")
        context = ToolContext(
            self.identity.tenant,
            self.identity.user,
            self.trail.request_id,
            limit_s,
            self.bounds.limits.max_result_chars,
        )
        return await self.box.tools[name].call(arguments, context)


def _message(step: ToolStep) -> Json:
    """The result as the model is told of it. `is_error` is for providers that know the difference;
    others are not sent it."""
    message: Json = {"role": "tool", "tool_call_id": step.id, "content": step.output}
    return {**message, "is_error": True} if step.error else message
