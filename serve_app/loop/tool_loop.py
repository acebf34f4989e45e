"""The loop above the corridor: requests whose tools run here go round; others go straight on."""

from __future__ import annotations

from serve_app.core.clock import Clock
from serve_app.core.errors import BadRequest
from serve_app.core.tools import RUN_HERE
from serve_app.core.types import ChatRequest
from serve_app.loop.bounds import Bounds
from serve_app.loop.calling import Calling
from serve_app.loop.question import max_calls, names_tools
from serve_app.loop.turn import Turn
from serve_app.passage import Ask, Reply
from serve_app.pipeline import Pipeline
from serve_app.tools.toolroom import Toolroom


class ToolLoop:
    """Answers requests as `Pipeline.answer` does, and runs their tools where the policy lets it.

    Each answer of the model is a request of its own to the corridor: admitted, filtered (arguments
    and results, too), paid for. What was answered before a limit or an error is paid.
    """

    def __init__(self, pipeline: Pipeline, room: Toolroom, clock: Clock) -> None:
        self._pipeline = pipeline
        self._room = room
        self._clock = clock

    async def answer(self, ask: Ask) -> Reply:
        """Answer one request.

        Raises:
            BadRequest: a tool that it names does not run here, or not for this caller.
            UpstreamFailed: an MCP server that it names is away.
            GatewayError: as `Pipeline.answer`, of the first answer; in a body, of any.
        """
        if ask.request.params.tools is None or not names_tools(ask.request):
            return await self._pipeline.answer(ask)
        if not self._room.policy.enabled:
            raise _not_enabled(ask.request)
        identity = self._pipeline.identify(ask)
        limits, allowed = self._room.policy.limits, max_calls(ask.request)
        box = await self._room.open(ask.request.params.tools, identity)
        try:
            bounds = Bounds(limits, self._clock, ask.deadline, allowed)
            calling = Calling(box, bounds, ask.trail, identity)
            turn = Turn(self._pipeline.answer, ask, calling)
            if ask.request.streaming:
                return await turn.stream()
            reply = await turn.whole()
        except BaseException:
            box.close()
            raise
        box.close()
        return reply


def _not_enabled(request: ChatRequest) -> BadRequest:
    kinds = enumerate(tool.get("type") for tool in request.params.tools or ())
    at, kind = next((at, kind) for at, kind in kinds if kind in RUN_HERE)
    return BadRequest(
        f"tools[{at}].type is {kind!r}: such tools run here only where the gateway's "
        "policy has `tools.enabled`",
        param=f"tools[{at}].type",
        code="tools_not_enabled",
    )
