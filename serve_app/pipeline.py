"""The corridor: what happens to one request, in order. Plain async Python, no Ray, no Redis.

    admit -> filter -> recall the conversation -> look in the cache -> plan -> call a backend
          -> filter the answer -> remember -> account

`answer()` reads top to bottom in that order. A stage may be an object in this process or a
deployment somewhere else; the corridor cannot tell.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from msgspec import Struct

from serve_app.accounting.ledger import Ledger
from serve_app.accounting.prices import PriceList
from serve_app.accounting.totals import Status
from serve_app.admission.porter import Admission
from serve_app.backends.execute import Answer, Executor
from serve_app.cache.base import Cache
from serve_app.cache.key import fingerprint
from serve_app.cache.lifetime import ttl_s
from serve_app.config.policy import Policy
from serve_app.core.clock import Clock
from serve_app.core.errors import (
    BadRequest,
    Blocked,
    GatewayError,
    NotFound,
    Overloaded,
    UpstreamFailed,
)
from serve_app.core.types import Chunk, Entry, Fill, Found, Lookup, Plan, Problem, Usage
from serve_app.filters.base import Filter
from serve_app.passage import Ask, Facts, Passage, Reply, Rules
from serve_app.routing.base import Router
from serve_app.sessions.conversation import Conversation, Recall
from serve_app.steps.background import Background
from serve_app.steps.books import Books
from serve_app.steps.outgoing import OutputGuard
from serve_app.steps.question import Warmth, conversation_of, plan_query
from serve_app.steps.record import Record
from serve_app.steps.replay import entry_from, replayed, replayed_whole
from serve_app.wire import openai
from serve_app.wire.agent import answered
from serve_app.wire.reply import is_usage_only

__all__ = ["Ask", "Facts", "Pipeline", "Reply", "Rooms", "Rules"]


class Rooms(Struct, frozen=True):
    """What the corridor connects. Built in one place, the graph."""

    admission: Admission
    filter: Filter
    conversation: Conversation
    cache: Cache
    router: Router
    executor: Executor
    ledger: Ledger
    clock: Clock


class Pipeline:
    """The corridor itself.

    Args:
        rooms: the stages.
        policy: what may change while requests run; see `reconfigure`.
        prices: of the models.
        max_entry_bytes: larger answers are not kept for the cache or a conversation.
    """

    def __init__(
        self, rooms: Rooms, policy: Policy, prices: PriceList, *, max_entry_bytes: int
    ) -> None:
        self._rooms = rooms
        self._books = Books(rooms.ledger)
        self._warmth = Warmth(rooms.clock)
        self._max_entry_bytes = max_entry_bytes
        self.fills: Background[Fill] = Background("cache fills", rooms.cache.fill)
        self.reconfigure(policy, prices)

    def reconfigure(self, policy: Policy, prices: PriceList) -> None:
        """Apply a checked policy to the requests that come; running ones keep theirs."""
        self._rules = Rules(policy, prices, policy.answer_scope())

    async def answer(self, ask: Ask) -> Reply:
        """Answer one request, or raise the `GatewayError` that says why not."""
        way = Passage(ask, self._rules, Facts(), ask.request, Recall(ask.request))
        await self._come_in(way)
        entry = await self._look_up(way)
        if entry is not None:
            return await self._serve_entry(way, entry)
        plan = await self._plan(way)
        if plan.problem is not None:
            raise _refusal(plan.problem)
        return await self._deliver(way, await self._execute(way, plan))

    async def plan(self, ask: Ask) -> Plan:
        """What would be done with a request, and why; no backend is called.

        Raises:
            GatewayError: it would not come so far (admission, a filter).
        """
        way = Passage(ask, self._rules, Facts(), ask.request, Recall(ask.request))
        await self._come_in(way)
        return await self._plan(way)

    # ------------------------------------------------------------- the way in

    async def _come_in(self, way: Passage) -> None:
        await self._admit(way)
        await self._filter_input(way)
        await self._recall(way)
        if way.rules.policy.routing.sticky:
            way.conversation = conversation_of(way)

    async def _admit(self, way: Passage) -> None:
        ask = way.ask
        admitted = await self._rooms.admission.admit(ask.authorization, ask.api_key)
        way.facts.identity, way.facts.limits = admitted.identity, admitted.headers
        ask.trail.note("admission", "admitted", limits=admitted.unlimited or "counted")

    async def _filter_input(self, way: Passage) -> None:
        if not way.rules.policy.filter.enabled:
            return
        texts = openai.texts_of(way.request, way.facts.identity.tenant)
        [verdict] = await self._rooms.filter.check_input([texts])
        for finding in verdict.findings:
            way.ask.trail.note("input_filter", finding.action, rule=finding.rule)
        if verdict.action == "block":
            raise Blocked(
                f"The request was refused by the rule {verdict.rule!r}.", param="messages"
            )
        if verdict.texts is not None:
            way.request = openai.with_texts(way.request, verdict.texts)

    async def _recall(self, way: Passage) -> None:
        conversation, tenant = self._rooms.conversation, way.facts.identity.tenant
        way.recall = await conversation.recall(tenant, way.ask.session, way.request)
        way.request = way.recall.request

    async def _look_up(self, way: Passage) -> Entry | None:
        if not way.rules.policy.cache.enabled:
            return None
        facts, tenant = way.facts, way.facts.identity.tenant
        facts.fingerprint = fingerprint(way.request, tenant, way.rules.scope)
        if not way.ask.read_cache:
            facts.cache = "bypass"
            return None
        try:
            [found] = await self._rooms.cache.lookup([Lookup(facts.fingerprint, tenant)])
        except Overloaded as error:  # a cache that is away is a miss
            found = Found("miss")
            way.ask.trail.note("cache", "away", why=error.message)
        facts.cache = found.level
        way.ask.trail.note("cache", found.level)
        return found.entry

    async def _plan(self, way: Passage) -> Plan:
        query = plan_query(way, self._warmth.of(way.conversation))
        [plan] = await self._rooms.router.plan([query])
        decision = "refused" if plan.problem is not None else plan.tier or "pinned"
        way.ask.trail.note("router", decision, plan=plan)
        return plan

    async def _execute(self, way: Passage, plan: Plan) -> Answer:
        ask, rules = way.ask, way.rules.policy.execution
        try:
            return await self._rooms.executor.start(
                plan, way.request, ask.trail, ask.deadline, rules, way.recall.shorten
            )
        except asyncio.CancelledError:
            self._books.unanswered(way, plan, "left")
            raise
        except GatewayError:
            self._books.unanswered(way, plan, "failed")
            raise

    # ------------------------------------------------------------ the way out

    async def _serve_entry(self, way: Passage, entry: Entry) -> Reply:
        """Replay a stored answer in the shape that was asked for; it costs nothing."""
        facts = way.facts
        facts.backend, facts.model = entry.backend, entry.model
        facts.age_s = max(0, int(self._rooms.clock.wall() - entry.stored_at))
        usage = Usage(
            prompt_tokens=entry.prompt_tokens,
            completion_tokens=entry.completion_tokens,
            total_tokens=entry.prompt_tokens + entry.completion_tokens,
        )
        if way.recall.is_active:
            await self._remember(way, replayed_whole(entry).raw)
        self._books.replayed(facts, usage, saved_micro_usd=entry.cost_micro_usd)
        if way.request.streaming:
            with_usage = way.request.wants_usage_chunk
            return Reply(facts, chunks=replayed(entry, with_usage=with_usage))
        return Reply(facts, whole=replayed_whole(entry))

    async def _deliver(self, way: Passage, answer: Answer) -> Reply:
        facts = way.facts
        _name(facts, answer)
        chunks = self._outgoing(way, answer)
        if way.request.streaming:
            return Reply(facts, chunks=chunks, upstream=answer.chunks)
        whole: Chunk | None = None
        async with aclosing(chunks):
            async for batch in chunks:
                whole = batch[0]
        if whole is None:
            raise UpstreamFailed(f"{facts.backend} sent an empty reply", code="empty_reply")
        return Reply(facts, whole=whole)

    async def _outgoing(self, way: Passage, answer: Answer) -> AsyncGenerator[list[Chunk], None]:
        """The answer on its way to the caller: filtered, remembered, accounted.

        Whatever happens (a failure in mid-stream, a caller that leaves), what was used is
        settled; only a reply that came to its end is remembered and kept.
        """
        facts, record = way.facts, Record(self._max_entry_bytes)
        status: Status = "failed"
        guard = self._guard(way)
        strip_usage = way.request.streaming and not way.request.wants_usage_chunk
        try:
            async with aclosing(answer.chunks) as batches:
                async for batch in batches:
                    clean = batch if guard is None else await guard.check(batch)
                    record.add(clean)
                    if facts.first_content_ms is None:
                        facts.first_content_ms = way.ask.trail.elapsed_ms()
                    if out := _without_usage(clean) if strip_usage else clean:
                        yield out
            status = "ok"
            if way.recall.is_active:
                await self._remember(way, record.body() if record.is_kept else None)
        except (GeneratorExit, asyncio.CancelledError):
            status = "left"
            raise
        finally:
            self._close_books(way, record, answer, status)
        if not (answer.recovered or record.skipped):  # as good as it could be, but not to repeat
            self._keep(way, record)

    def _guard(self, way: Passage) -> OutputGuard | None:
        rules = way.rules.policy.filter
        if not rules.enabled or rules.output_pii == "off":
            return None
        return OutputGuard(self._rooms.filter, way.facts.identity.tenant, way.ask.trail)

    async def _remember(self, way: Passage, body: bytes | None) -> None:
        """Keep the turn; one whose answer was too long to hold is not kept, and that is said."""
        way.facts.session_kept = body is not None and await self._rooms.conversation.remember(
            way.recall, answered(body)
        )

    def _keep(self, way: Passage, record: Record) -> None:
        """Hand the finished reply to the cache, unless it is not one to serve again."""
        facts, request = way.facts, way.request
        ttl = ttl_s(request, way.rules.policy.cache) if facts.fingerprint else 0
        whole = record.is_complete or (
            request.max_output_tokens is not None and record.ended_by_limit()
        )
        if way.ask.write_cache and ttl and whole and record.is_kept and not way.recall.shortened:
            entry = entry_from(
                record,
                facts.usage or Usage(),
                backend=facts.backend,
                model=facts.model,
                cost_micro_usd=facts.cost_micro_usd,
                now=self._rooms.clock.wall(),
                ttl_s=ttl,
            )
            self.fills.put(Fill(facts.fingerprint, entry, facts.identity.tenant))

    def _close_books(self, way: Passage, record: Record, answer: Answer, status: Status) -> None:
        """Account for a reply that is over, whatever ended it. Never waits."""
        _name(way.facts, answer)
        self._books.answered(way, record, answer, status)
        if record.skipped:
            way.ask.trail.note("stream", "skipped", events=record.skipped)
        if status == "ok":
            self._warmth.note(way.conversation, answer.candidate)


def _name(facts: Facts, answer: Answer) -> None:
    """Who answers; another one than at first, once a stream was recovered."""
    facts.backend, facts.model = answer.candidate.backend, answer.candidate.model
    facts.attempts = answer.attempts


def _without_usage(chunks: list[Chunk]) -> list[Chunk]:
    """We always ask for usage; the caller gets its event only if it asked too."""
    if not any(chunk.usage is not None for chunk in chunks):
        return chunks
    return [chunk for chunk in chunks if not is_usage_only(chunk)]


def _refusal(problem: Problem) -> GatewayError:
    """The router's refusal as the error it stands for."""
    made: GatewayError
    if problem.status == 404:
        made = NotFound(problem.message, param=problem.param, code=problem.code)
    elif problem.status == 503:
        made = Overloaded(problem.message, code=problem.code, retry_after_s=5)
    else:
        made = BadRequest(problem.message, param=problem.param, code=problem.code)
    return made
