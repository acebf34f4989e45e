"""The corridor: what happens to one request, in order. Plain async Python, no Ray, no Redis.

    admit -> filter -> recall the conversation -> look in the cache -> plan -> call a backend
          -> filter the answer -> remember -> account

`answer()` reads top to bottom in that order. A stage may be an object in this process or a
deployment somewhere else; the corridor cannot tell.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from functools import partial

from msgspec.structs import replace

from serve_app.accounting.prices import PriceList
from serve_app.cache.rules import Rulebook
from serve_app.config.policy import Policy
from serve_app.core.errors import (
    BadRequest,
    Blocked,
    GatewayError,
    NotCached,
    NotFound,
    UpstreamFailed,
)
from serve_app.core.kept import Fill, Found
from serve_app.core.plan import Plan
from serve_app.core.types import Chunk, Identity, Sender
from serve_app.flights.base import Call
from serve_app.flights.seat import Seat
from serve_app.passage import Ask, Control, Facts, Passage, Reply, Rules
from serve_app.routing.quotes import Quotes
from serve_app.sessions.conversation import Kept, Opened, Recall
from serve_app.steps.beside import Beside
from serve_app.steps.books import Books
from serve_app.steps.caching import Caching
from serve_app.steps.delivery import Delivery
from serve_app.steps.leasing import Leasing
from serve_app.steps.need import asking
from serve_app.steps.question import Warmth, conversation_of, plan_query, wish_of
from serve_app.steps.queueing import Queueing
from serve_app.steps.record import Record
from serve_app.steps.refusing import refusal
from serve_app.steps.replay import given, stored
from serve_app.steps.rooms import Rooms
from serve_app.steps.screening import Screening
from serve_app.steps.summing import Summing
from serve_app.steps.supply import Supply

__all__ = ["Ask", "Control", "Facts", "Pipeline", "Reply", "Rules"]


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
        self._books = Books(rooms.ledger, rooms.tell)
        self._screening = Screening(rooms.filter)
        self._leasing = Leasing(rooms.ledger, confirm_s)
        self._warmth = Warmth(rooms.clock)
        self._max_entry_bytes = max_entry_bytes
        self.caching = Caching(rooms.cache, rooms.clock, rooms.flights.landed)
        self.refreshes: Beside[Passage] = Beside("cache refreshes", self._refresh)
        self.summaries = Summing(rooms.conversation.store, rooms.clock, self.answer)
        self._queueing = Queueing(rooms.clock, self._clear, self._attempt)
        self._delivery = Delivery(
            self._books,
            self._screening,
            self._leasing,
            self.caching,
            rooms.conversation,
            rooms.flights,
            self.refreshes.put,
            self.summaries.consider,
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
            await self._admit(way)
            return await self._queueing.answer(way)
        except BaseException:
            self._leasing.release(way)
            raise

    def identify(self, ask: Ask) -> Identity:
        """Who asks; nothing is counted.

        Raises:
            GatewayError: nobody that is known, or it cannot be found out.
        """
        return self._rooms.admission.identify(ask.authorization, ask.api_key, ask.key_sha256)

    async def _attempt(self, way: Passage) -> Reply:
        await self._listen(way)
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
        facts = Facts(session_id=ask.session or "")
        return Passage(ask, self._rules, facts, ask.request, Recall(ask.request))

    def _clear(self, way: Passage) -> None:
        """Let a request begin anew: what is left of its way so far is who asks, and the lease."""
        fresh, kept = self._begun(way.ask), ("rules", "lease", "is_short")
        fresh.facts.identity, fresh.facts.limits = way.facts.identity, way.facts.limits
        for name in fresh.__struct_fields__:
            if name not in kept:
                setattr(way, name, getattr(fresh, name))

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

    async def add(self, ask: Ask, identity: Identity) -> Kept | None:
        """Add messages to a conversation that is there, filtered like any; no model is asked.

        Args:
            identity: whose conversation it is; the caller has been admitted.

        Returns:
            None: it could not be kept, or is too large.

        Raises:
            GatewayError: there is no such conversation, or a filter refuses it.
        """
        way = self._begun(ask)
        way.facts.identity = identity
        opened = await self._open(way)
        if opened is None or not opened.thread.is_there:
            raise NotFound("There is no such conversation", code="conversation_not_found")
        await self._filter_input(way, opened)
        *before, last = way.request.params.messages
        recall = Recall(way.request, opened, before)
        return await self._rooms.conversation.remember(recall, last, way.new_names, late=True)

    # ------------------------------------------------------------- the way in

    async def _come_in(self, way: Passage) -> None:
        await self._admit(way)
        await self._listen(way)

    async def _listen(self, way: Passage) -> None:
        trail = way.ask.trail
        since = trail.elapsed_ms()
        opened = await self._open(way)
        if opened is not None:
            trail.note("conversation", "read", since, turns=opened.thread.at)
        await self._filter_input(way, opened)
        if way.rules.policy.keeps_content:
            way.facts.asked = way.request
        if opened is not None:
            await self._recall(way, opened)
        if way.rules.policy.routing.sticky:
            way.conversation = conversation_of(way)

    async def _admit(self, way: Passage) -> None:
        ask, since = way.ask, way.ask.trail.elapsed_ms()
        try:
            admitted = await self._rooms.admission.admit(
                ask.authorization, ask.api_key, asking(way), ask.key_sha256
            )
        except GatewayError as error:
            ask.trail.note("admission", "refused", since, code=error.code)
            with suppress(GatewayError):
                ask.trail.who = self.identify(ask)
            raise
        way.lease = admitted.lease
        if admitted.caller.priority == "batch":  # a header may lower a request, never raise it
            ask.priority = "batch"
        way.facts.identity, way.facts.limits = admitted.identity, admitted.headers
        ask.trail.who = admitted.identity
        if (soft := admitted.soft) is not None:
            way.is_short = soft.scope.allowance.cheaper
            way.facts.limits = {**admitted.headers, "x-serve-app-budget": "nearly-spent"}
        ask.trail.note(
            "admission",
            "admitted",
            since,
            limits=admitted.unlimited or "counted",
            budget="" if soft is None else f"nearly spent: {soft.period} {soft.scope.name}",
        )

    async def _open(self, way: Passage) -> Opened | None:
        """The conversation that a request goes on with, as it is before anything is done."""
        wish, filters = wish_of(way), way.rules.policy.filter
        if wish is None:
            return None
        with_names = filters.enabled and filters.keeps_names
        return await self._rooms.conversation.open(wish, with_names=with_names)

    async def _filter_input(self, way: Passage, opened: Opened | None) -> None:
        if way.rules.policy.filter.enabled:
            await self._screening.judge(way, () if opened is None else opened.names)

    async def _recall(self, way: Passage, opened: Opened) -> None:
        way.recall = await self._rooms.conversation.recall(opened, way.request, way.ask.trail)
        way.request = way.recall.request
        if way.recall.has_history:  # what can be deleted is kept in no second place
            way.ask.control = replace(way.ask.control, write=False)

    async def _plan(self, way: Passage) -> Plan:
        since = way.ask.trail.elapsed_ms()
        query = plan_query(way, self._warmth.of(way.conversation))
        [plan] = await self._rooms.router.plan([query])
        decision = "refused" if plan.problem is not None else plan.tier or "pinned"
        way.tier = plan.tier
        way.ask.trail.note("router", decision, since, plan=plan)
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
            raise refusal(plan.problem)
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
