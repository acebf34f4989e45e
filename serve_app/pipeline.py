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

from serve_app.accounting.ledger import Ledger, Settlement
from serve_app.accounting.meter import cost_micro_usd, count_usage
from serve_app.accounting.prices import PriceList
from serve_app.accounting.totals import Status
from serve_app.admission.porter import Admission
from serve_app.backends.committed import Committed
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
from serve_app.core.trail import Trail
from serve_app.core.types import (
    ChatRequest,
    Chunk,
    Entry,
    Fill,
    Found,
    Identity,
    Lookup,
    Plan,
    PlanQuery,
    Problem,
    Usage,
)
from serve_app.filters.base import Filter
from serve_app.routing.base import Router
from serve_app.routing.estimate import estimate_messages, estimate_tokens
from serve_app.sessions.conversation import Conversation, Recall
from serve_app.steps.background import Background
from serve_app.steps.outgoing import OutputGuard
from serve_app.steps.record import Record
from serve_app.steps.replay import entry_from, replayed, replayed_whole
from serve_app.wire import openai
from serve_app.wire.agent import answered
from serve_app.wire.reply import is_usage_only

NEED_CHARS = 4000
"""So much of the last user text the router sees: enough to judge it, small enough for a hop."""

DEFAULT_REPLY_TOKENS = 512
"""Room for an answer where the request names none, when the router checks context windows."""


class Ask(Struct):
    """One request as the front door hands it over."""

    request: ChatRequest
    trail: Trail
    authorization: str | None = None
    api_key: str | None = None
    session: str | None = None
    read_cache: bool = True
    write_cache: bool = True
    deadline: float = 0.0
    """Monotonic seconds."""


class Facts(Struct):
    """What the front door tells the caller about a reply, and the books keep of it."""

    identity: Identity = Identity()
    limits: dict[str, str] = {}
    backend: str = ""
    model: str = ""
    cache: str = "none"
    fingerprint: str = ""
    usage: Usage | None = None
    cost_micro_usd: int = 0
    age_s: int = 0
    session_kept: bool | None = None
    first_content_ms: float | None = None


class Reply(Struct):
    """Exactly one of `whole` and `chunks` is set. `facts` are complete when the reply is."""

    facts: Facts
    whole: Chunk | None = None
    chunks: AsyncGenerator[list[Chunk], None] | None = None
    upstream: Committed | None = None

    async def aclose(self) -> None:
        """Stop what still runs for this reply. Closing `chunks` alone is not enough: a
        generator that was never started does not close what it would have read."""
        if self.chunks is not None:
            await self.chunks.aclose()
        if self.upstream is not None:
            await self.upstream.aclose()


class Rules(Struct, frozen=True):
    """What a policy means for requests; one request keeps the rules it came in under."""

    policy: Policy
    prices: PriceList
    scope: str
    """Part of the cache fingerprint: changes with whatever decides what an answer says."""


class Passage(Struct):
    """One request on its way through the corridor."""

    ask: Ask
    rules: Rules
    facts: Facts
    request: ChatRequest
    recall: Recall


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
        self._max_entry_bytes = max_entry_bytes
        self.fills: Background[Fill] = Background("cache fills", rooms.cache.fill)
        self.reconfigure(policy, prices)

    def reconfigure(self, policy: Policy, prices: PriceList) -> None:
        """Apply a checked policy to the requests that come; running ones keep theirs."""
        self._rules = Rules(policy, prices, policy.answer_scope())

    async def answer(self, ask: Ask) -> Reply:
        """Answer one request, or raise the `GatewayError` that says why not."""
        way = Passage(ask, self._rules, Facts(), ask.request, Recall(ask.request))
        await self._admit(way)
        await self._filter_input(way)
        await self._recall(way)
        entry = await self._look_up(way)
        if entry is not None:
            return await self._serve_entry(way, entry)
        plan = await self._plan(way)
        answer = await self._rooms.executor.start(
            plan, way.request, ask.trail, ask.deadline, way.recall.shorten
        )
        return await self._deliver(way, answer)

    # ------------------------------------------------------------- the way in

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
        request, tenant = way.request, way.facts.identity.tenant
        query = PlanQuery(
            model=request.params.model,
            text=openai.last_user_text(request, NEED_CHARS),
            turns=len(request.params.messages),
            prompt_tokens=estimate_messages(openai.texts_of(request, tenant).texts),
            max_output_tokens=request.max_output_tokens or DEFAULT_REPLY_TOKENS,
            needs=openai.needs_of(request),
            tenant=tenant,
            may_shorten=way.recall.is_active,
        )
        [plan] = await self._rooms.router.plan([query])
        if plan.problem is not None:
            way.ask.trail.note("router", "refused", code=plan.problem.code, plan=plan)
            raise _refusal(plan.problem)
        way.ask.trail.note("router", plan.tier or "pinned", plan=plan)
        return plan

    # ------------------------------------------------------------ the way out

    async def _serve_entry(self, way: Passage, entry: Entry) -> Reply:
        """Replay a stored answer in the shape that was asked for; it costs nothing."""
        facts = way.facts
        facts.backend, facts.model = entry.backend, entry.model
        facts.age_s = max(0, int(self._rooms.clock.wall() - entry.stored_at))
        facts.usage = Usage(
            prompt_tokens=entry.prompt_tokens,
            completion_tokens=entry.completion_tokens,
            total_tokens=entry.prompt_tokens + entry.completion_tokens,
        )
        if way.recall.is_active:
            await self._remember(way, replayed_whole(entry).raw)
        self._settle(facts, "ok", saved_micro_usd=entry.cost_micro_usd)
        if way.request.streaming:
            with_usage = way.request.wants_usage_chunk
            return Reply(facts, chunks=replayed(entry, with_usage=with_usage))
        return Reply(facts, whole=replayed_whole(entry))

    async def _deliver(self, way: Passage, answer: Answer) -> Reply:
        facts = way.facts
        facts.backend, facts.model = answer.candidate.backend, answer.candidate.model
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
            self._account(way, record, status)
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

    # ----------------------------------------------------------------- the books

    def _account(self, way: Passage, record: Record, status: Status) -> None:
        """Work out what was used and what it cost. Never waits: it runs while callers leave."""
        facts = way.facts
        facts.usage = record.usage or _counted(way, record)
        price = way.rules.prices.price(facts.model)
        facts.cost_micro_usd = cost_micro_usd(price, facts.usage) if price is not None else 0
        self._settle(facts, status)

    def _settle(self, facts: Facts, status: Status, *, saved_micro_usd: int = 0) -> None:
        usage = facts.usage or Usage()
        self._rooms.ledger.record(
            Settlement(
                tenant=facts.identity.tenant,
                user=facts.identity.user,
                model=facts.model,
                backend=facts.backend,
                prompt_tokens=usage.prompt_tokens,
                completion_tokens=usage.completion_tokens,
                cost_micro_usd=facts.cost_micro_usd,
                cache_level=facts.cache,
                saved_micro_usd=saved_micro_usd,
                status=status,
            )
        )


def _without_usage(chunks: list[Chunk]) -> list[Chunk]:
    """We always ask for usage; the caller gets its event only if it asked too."""
    if not any(chunk.usage is not None for chunk in chunks):
        return chunks
    return [chunk for chunk in chunks if not is_usage_only(chunk)]


def _counted(way: Passage, record: Record) -> Usage:
    """Usage where the backend gave none: counted by the same rule the router uses."""
    texts = openai.texts_of(way.request, way.facts.identity.tenant).texts
    return count_usage(texts, record.text(), estimate_tokens)


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
