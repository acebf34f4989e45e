"""The one who watches: evaluates the rules, keeps what it knows, and has messages sent.

Every process has an engine; that of the duty's holder works, the others wait. What it knows is in
Redis, so that the next holder goes on with it; while Redis is away the holder goes on in memory.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Mapping, Sequence

from serve_app.alerts.base import Snapshots, Tally, Turn
from serve_app.alerts.book import Book
from serve_app.alerts.lifecycle import advance, forget
from serve_app.alerts.notices import Notices
from serve_app.alerts.post_room import PostRoom
from serve_app.alerts.rules import Rule, in_force
from serve_app.alerts.shelf import Shelf
from serve_app.alerts.silences import Silences
from serve_app.alerts.state import Event, State
from serve_app.alerts.watching import Sight, Watching
from serve_app.config.alerts_policy import AlertRule, AlertsPolicy
from serve_app.core.clock import Clock
from serve_app.store.client import Store
from serve_app.store.errors import StoreUnavailable

logger = logging.getLogger(__name__)


class Engine:
    """
    Args:
        shipped: the rules that hold without any configuration.
        thresholds: by shipped rule, what other parts of the configuration say.
        turn: whether this process has the duty.
        replica: names this process among all of them.
        environ: has the addresses of channels.

    Raises:
        PolicyRejected: names the rule that cannot be used, and the place in its expression.
    """

    def __init__(
        self,
        policy: AlertsPolicy,
        shipped: Sequence[AlertRule],
        thresholds: Mapping[str, float],
        *,
        snapshots: Snapshots,
        store: Store,
        turn: Turn,
        replica: str,
        clock: Clock,
        environ: Mapping[str, str],
        tally: Tally,
    ) -> None:
        self._shipped = shipped
        self._turn = turn
        self._clock = clock
        self.shelf = Shelf(store, replica)
        self.silences = Silences(store, clock)
        self.book = Book(self.shelf, clock)
        self.post = PostRoom(self.book, turn, tally, clock, replica, environ)
        self._watching = Watching(snapshots, clock)
        self._task: asyncio.Task[None] | None = None
        self._was_blind = False
        self.policy, self.rules = AlertsPolicy(), list[Rule]()
        self._notices = Notices(self.policy, self.rules)
        self.reconfigure(policy, thresholds)

    def reconfigure(self, policy: AlertsPolicy, thresholds: Mapping[str, float]) -> None:
        """Use other rules and channels from the next round on.

        Raises:
            PolicyRejected: nothing was changed.
        """
        rules = in_force(policy, self._shipped, thresholds)
        if (policy, rules) == (self.policy, self.rules):
            return
        self.policy, self.rules = policy, rules
        self._notices = Notices(policy, rules)
        self.post.reconfigure(policy)
        self._watching.forget()

    def start(self) -> None:
        """Begin to watch in the background; call it in the running loop."""
        if self._task is None:
            loop, own = asyncio.get_running_loop(), contextvars.Context()
            self._task = loop.create_task(self._run(), name="alerts", context=own)
            self.post.start()

    async def close(self) -> None:
        """Finish the message under way, and keep what is known for the next; bounded. Call it
        before the duty is given back."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None
        await self.post.close()
        if self._turn.is_mine:
            await self.book.close()

    @property
    def is_at_work(self) -> bool:
        """Whether this is the engine of all that works."""
        return self._turn.is_mine

    def firing(self) -> list[tuple[str, str]]:
        """Rule and severity of what holds, for the metrics; of the duty's holder only."""
        state = self.book.state
        if state is None or not self._turn.is_mine:
            return []
        return sorted({(alert.rule, alert.severity) for alert in state.firing()})

    async def look(self) -> tuple[State, list[Event]]:
        """What is known and what happened lately, newest first, whichever process knows it.

        Raises:
            StoreUnavailable: this one does not know it.
        """
        state = self.book.state if self._turn.is_mine else None
        try:
            kept, events = await self.shelf.look()
        except StoreUnavailable:
            if state is None:
                raise
            return state, self.book.recent()
        return state or kept, events

    async def step(self) -> None:
        """One round."""
        if not self._turn.is_mine:
            if self.book.state is not None:
                await self.book.close()
                self._watching.forget()
            return
        if not await self.book.open():
            return
        await self._hear_silences()
        seen = await self._watching.look(self.rules)
        state, now = self.book.state, self._clock.wall()
        if state is None:
            return
        self._tell_blindness(seen)
        if seen is not None:
            self._take(state, seen, now)
        for channel, notice in self._notices.gather(state, self.silences.silences, now):
            self.post.give_up(channel, notice)
        forget(state)
        if await self.book.save():
            self.post.wake()

    def _take(self, state: State, seen: Sight, now: float) -> None:
        state.problems = seen.problems
        events = advance(state, self.rules, seen.found, now)
        self.book.happened(events)
        for event in events:
            logger.warning("alert %s %s (%s) %s",
                           event.alert, event.what, event.severity, event.labels)  # fmt: skip

    async def _hear_silences(self) -> None:
        try:
            await self.silences.read()
        except StoreUnavailable:
            return  # those that were heard of last hold

    def _tell_blindness(self, seen: Sight | None) -> None:
        if (seen is None) and not self._was_blind:
            logger.warning("alerts: there are no fresh metrics, so nothing can be judged")
        self._was_blind = seen is None

    async def _run(self) -> None:
        while True:
            try:
                await self.step()
            except Exception:  # the loop must live on, and the mistake be seen
                logger.exception("the alert rules could not be worked through")
            await asyncio.sleep(self.policy.interval_s)
