"""Several prompts of one request: each a question of its own, asked at the same time."""

from __future__ import annotations

from contextlib import aclosing

from msgspec.structs import replace

from serve_app.core.errors import UpstreamFailed
from serve_app.core.together import all_of
from serve_app.core.types import ChatRequest, Chunk, Usage
from serve_app.ingress.clerk import Clerk
from serve_app.ingress.http import Exchange
from serve_app.pipeline import Facts

Answers = list[tuple[Chunk, Facts]]


async def answer_each(clerk: Clerk, exchange: Exchange, requests: list[ChatRequest]) -> Answers:
    """Whole replies to all requests, in their order. The first failure ends them all.

    Raises:
        GatewayError: of the request that failed first.
    """
    return await all_of(_whole(clerk, exchange, request) for request in requests)


async def _whole(clerk: Clerk, exchange: Exchange, request: ChatRequest) -> tuple[Chunk, Facts]:
    reply = await clerk.answer(exchange, request)
    async with aclosing(reply):
        if reply.whole is None:
            raise UpstreamFailed("The backend sent no whole reply", code="empty_reply")
        return reply.whole, reply.facts


def together(parts: list[Facts]) -> Facts:
    """What is told of several replies as one: the first's names, the sum of what was used."""
    total = Usage()
    for part in parts:
        usage = part.usage or Usage()
        total.prompt_tokens += usage.prompt_tokens
        total.completion_tokens += usage.completion_tokens
        total.total_tokens += usage.total_tokens
    levels = {part.cache for part in parts}
    return replace(
        parts[0],
        usage=total,
        cost_micro_usd=sum(part.cost_micro_usd for part in parts),
        attempts=max(part.attempts for part in parts),
        cache=levels.pop() if len(levels) == 1 else "miss",
        limits=parts[-1].limits,
        fingerprint="",
        age_s=max(part.age_s for part in parts),
        warnings=[*dict.fromkeys(rule for part in parts for rule in part.warnings)],
        blocked=next((part.blocked for part in parts if part.blocked), ""),
    )
