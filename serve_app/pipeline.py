"""The corridor: what happens to one request, in order. Plain async Python, no Ray, no Redis.

    admit -> filter -> recall the conversation -> look in the cache -> plan -> call a backend
          -> filter the answer -> remember -> account

`answer()` reads top to bottom in that order. A stage may be an object in this process or a
deployment somewhere else; the corridor cannot tell.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from serve_app.accounting.ledger import Ledger
from serve_app.accounting.prices import PriceList
from serve_app.admission.porter import Admission
from serve_app.backends.execute import Executor
from serve_app.cache.base import Cache
from serve_app.cache.rules import Rulebook
from serve_app.config.policy import Policy
from serve_app.core.clock import Clock
from serve_app.core.errors import (
    BadRequest,
    Blocked,
    GatewayError,
    NotCached,
    NotFound,
    Overloaded,
    UpstreamFailed,
)
from serve_app.core.kept import Fill, Found
from serve_app.core.types import Chunk, Names, Plan, Problem, Sender
from serve_app.filters.base import Filter
from serve_app.flights.base import Call
from serve_app.flights.flights import Flights
from serve_app.flights.seat import Seat
from serve_app.passage import Ask, Control, Facts, Passage, Reply, Rules
from serve_app.routing.base import Router
from serve_app.routing.quotes import Quotes
from serve_app.sessions.conversation import Conversation, Recall
from serve_app.steps.beside import Beside
from serve_app.steps.books import Books
from serve_app.steps.caching import Caching
from serve_app.steps.delivery import Delivery
from serve_app.steps.leasing import Leasing
from serve_app.steps.need import asking
from serve_app.steps.question import Warmth, conversation_of, plan_query
from serve_app.steps.record import Record
from serve_app.steps.replay import given, stored
from serve_app.steps.screening import Screening
from serve_app.steps.supply import Supply

__all__ = ["Admission", "Ask", "Control", "Facts", "Pipeline", "Reply", "Rooms", "Rules"]


class Rooms(Struct, frozen=True):
    """What the corridor connects. Built in one place, the graph."""

    admission: Admission
    filter: Filter
    conversation: Conversation
    cache: Cache
    router: Router
    executor: Executor
    flights: Flights
    ledger: Ledger
    clock: Clock


class Pipeline:
    """The corridor itself.

    Args:
        rooms: the stages.
        policy: what may change while requests run; see `reconfigure`.
        prices: of the models.
        quotes: of the names that requests ask for.
        max_entry_bytes: larger answers are not kept for the cache or a conversation.
        confirm_s: an answer that was reserved for waits so long for the ledger to have its cost.
    """

    def __init__(
        self,
        rooms: Rooms,
        policy: Policy,
        prices: PriceList,
        quotes: Quotes,
        *,
        max_entry_bytes: int,
        confirm_s: float,
    ) -> None:
        self._rooms = rooms
        self._books = Books(rooms.ledger)
        self._screening = Screening(rooms.filter)
        self._leasing = Leasing(rooms.ledger, confirm_s)
        self._warmth = Warmth(rooms.clock)
        self._max_entry_bytes = max_entry_bytes
        self.caching = Caching(rooms.cache, rooms.clock, rooms.flights.landed)
        self.refreshes: Beside[Passage] = Beside("cache refreshes", self._refresh)
        self._delivery = Delivery(
            self._books,
            self._screening,
            self._leasing,
            self.caching,
            rooms.conversation,
            rooms.flights,
            self.refreshes.put,
            max_entry_bytes,
        )
        self.reconfigure(policy, prices, quotes)

    def reconfigure(self, policy: Policy, prices: PriceList, quotes: Quotes) -> None:
        """Apply a checked policy to the requests that come; running ones keep theirs."""
        self._rules = Rules(policy, prices, policy.answer_scope(), Rulebook(policy.cache), quotes)

    async def answer(self, ask: Ask) -> Reply:
        """Answer one request, or raise the `GatewayError` that says why not."""
        way = self._begun(ask)
        try:
            return await self._answer(way)
        except BaseException:
            self._leasing.release(way)
            raise

    async def _answer(self, way: Passage) -> Reply:
        await self._come_in(way)
        self.caching.mark(way)
        if (seat := self._under_way(way)) is not None:
            return await self._delivery.deliver(way, seat)
        found = await self._looked_up(way)
        if found.entry is not None and way.check is None:
            return await self._delivery.serve(way, found)
        if way.ask.control.only_if_cached:
            raise NotCached("No answer to this request is stored")
        return await self._delivery.deliver(way, await self._source(way, found))

    def _begun(self, ask: Ask) -> Passage:
        return Passage(ask, self._rules, Facts(), ask.request, Recall(ask.request))

    async def warm(self, ask: Ask, answer: str | None, *, is_admin: bool) -> tuple[str, bool]:
        """Keep the answer to a request until it is purged.

        Args:
            answer: its text; None: it is asked for, if it is not there yet.

        Returns:
            Its fingerprint, and whether it is new.

        Raises:
            BadRequest: the policy keeps no answer to this request.
            Blocked: tenants share it, and only an admin may say what they are told.
            UpstreamFailed: there is an answer, but none to be kept.
        """
        way = self._begun(ask)
        way.for_ever = True
        try:
            return await self._warm(way, answer, is_admin=is_admin)
        finally:
            await self._leasing.settle(way)

    async def _warm(self, way: Passage, answer: str | None, *, is_admin: bool) -> tuple[str, bool]:
        await self._come_in(way)
        self.caching.mark(way)
        keeping, facts = way.keeping, way.facts
        if keeping is None:
            raise BadRequest("The policy keeps no answer to this request", param="request")
        if answer is not None and keeping.scope != facts.identity.tenant and not is_admin:
            raise Blocked("Only an admin key may answer for several tenants", code="admin_required")
        entry = await self.caching.recall(way)
        if entry is not None and not entry.expires_at:
            return facts.fingerprint, False
        source: Call = given(answer) if answer is not None else await self._launch(way, [])
        fill = await self._made(way, source)
        if fill is None or not await self.caching.keep_now(fill):
            raise UpstreamFailed("The answer is not one to be kept", code="not_kept")
        return facts.fingerprint, True

    async def _made(self, way: Passage, source: Call) -> Fill | None:
        """An answer, read to its end and filtered like any other."""
        gate, record = self._screening.gate(way), Record(self._max_entry_bytes)
        async with aclosing(source) as batches:
            async for batch in batches:
                record.add(await gate.check(batch))
            outcome = source.outcome
        gate.close()
        return self.caching.fill_of(way, record, outcome, gate.rules)

    async def plan(self, ask: Ask) -> Plan:
        """What would be done with a request, and why; no backend is called.

        Raises:
            GatewayError: it would not come so far (admission, a filter).
        """
        way = self._begun(ask)
        try:
            await self._come_in(way)
            return await self._plan(way)
        finally:
            self._leasing.release(way)

    # ------------------------------------------------------------- the way in

    async def _come_in(self, way: Passage) -> None:
        await self._admit(way)
        await self._filter_input(way)
        await self._recall(way)
        if way.rules.policy.routing.sticky:
            way.conversation = conversation_of(way)

    async def _admit(self, way: Passage) -> None:
        ask = way.ask
        admitted = await self._rooms.admission.admit(ask.authorization, ask.api_key, asking(way))
        way.lease = admitted.lease
        if admitted.caller.priority == "batch":  # a header may lower a request, never raise it
            ask.priority = "batch"
        way.facts.identity, way.facts.limits = admitted.identity, admitted.headers
        if (soft := admitted.soft) is not None:
            way.is_short = soft.scope.allowance.cheaper
            way.facts.limits = {**admitted.headers, "x-serve-app-budget": "nearly-spent"}
        ask.trail.note(
            "admission",
            "admitted",
            limits=admitted.unlimited or "counted",
            budget="" if soft is None else f"nearly spent: {soft.period} {soft.scope.name}",
        )

    async def _filter_input(self, way: Passage) -> None:
        if not way.rules.policy.filter.enabled:
            return
        names: Names = ()
        if way.ask.session is not None and way.rules.policy.filter.keeps_names:
            tenant = way.facts.identity.tenant
            names = await self._rooms.conversation.names(tenant, way.ask.session)
        await self._screening.judge(way, names)

    async def _recall(self, way: Passage) -> None:
        conversation, tenant = self._rooms.conversation, way.facts.identity.tenant
        way.recall = await conversation.recall(tenant, way.ask.session, way.request)
        way.request = way.recall.request

    async def _plan(self, way: Passage) -> Plan:
        query = plan_query(way, self._warmth.of(way.conversation))
        [plan] = await self._rooms.router.plan([query])
        decision = "refused" if plan.problem is not None else plan.tier or "pinned"
        way.ask.trail.note("router", decision, plan=plan)
        return plan

    # -------------------------------------------------------- where answers come from

    def _under_way(self, way: Passage) -> Seat | None:
        """A seat in the flight of an equal request of this process."""
        keeping, control = way.keeping, way.ask.control
        if keeping is None or not way.rules.policy.cache.single_flight:
            return None
        if not control.read or control.only_if_cached:
            return None
        flight = self._rooms.flights.find(keeping.scope, way.flight)
        if flight is None:
            way.holder = self._rooms.flights.new_holder()
            return None
        return flight.join()

    async def _looked_up(self, way: Passage) -> Found:
        """What the cache has. Who leaves meanwhile may have been given the lease of a flight."""
        try:
            return await self.caching.look_up(way)
        except BaseException:
            if way.holder and way.keeping is not None:
                scope, name = way.keeping.scope, way.flight
                self._rooms.flights.release(scope, name, way.holder)
            raise

    async def _source(self, way: Passage, found: Found) -> Call:
        """Who makes the answer: a call of our own, or one that others share."""
        if not way.holder or way.keeping is None:
            return await self._launch(way, [])
        flights, scope, name = self._rooms.flights, way.keeping.scope, way.flight
        launch = partial(self._launch, way)
        if found.leads:
            return flights.lead(scope, name, launch, holder=way.holder)
        return flights.follow(scope, name, launch, recall=partial(self._recalled, way))

    async def _recalled(self, way: Passage) -> Call | None:
        """The answer that another replica just made and kept."""
        entry = await self.caching.recall(way)
        return None if entry is None else stored(entry, streaming=way.request.streaming)

    async def _launch(self, way: Passage, sent: list[list[Chunk]]) -> Supply:
        """Plan and make the call.

        Args:
            sent: what readers have of an answer whose maker is gone; the call goes on from there.
        """
        plan = await self._plan(way)
        if plan.problem is not None:
            raise _refusal(plan.problem)
        ask, rules = way.ask, way.rules.policy.execution
        sender = Sender(way.facts.identity.tenant, ask.priority)
        try:
            answer = await self._rooms.executor.start(
                plan, way.request, ask.trail, ask.deadline, rules, way.recall.shorten, sent, sender
            )
        except asyncio.CancelledError:
            self._books.unanswered(way, plan, "left")
            raise
        except GatewayError:
            self._books.unanswered(way, plan, "failed")
            raise
        return Supply(way, answer, self._books, self._warmth)

    async def _refresh(self, old: Passage) -> None:
        """Make the answer anew that was just served though it is stale; one replica does."""
        facts = Facts(old.facts.identity, fingerprint=old.facts.fingerprint)
        way = replace(old, facts=facts, recall=Recall(old.request), check=None, lease=None)
        if (seat := self._under_way(way)) is not None:
            await seat.aclose()
            return
        way.ask = replace(old.ask, control=replace(old.ask.control, max_age_s=0))
        found = await self.caching.look_up(way)
        if found.leads:
            async with aclosing(
                self._delivery.outgoing(way, await self._source(way, found))
            ) as batches:
                async for _ in batches:
                    pass


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
