"""Turn by turn: messages that came to one session at once are answered one after the other.

Nobody waits before there was a conflict: most sessions have one speaker. A message that lost to
another is answered anew, with that one in its history; those that lost in this process go in line,
so that the next loses only to what comes in through another replica.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from serve_app.core.clock import Clock
from serve_app.core.errors import Conflict, DeadlineExceeded
from serve_app.passage import Passage, Reply
from serve_app.sessions.conversation import CONFLICT

AGAIN: Final = 3
"""So often a message is answered anew, at most."""


class Queueing:
    """Has requests answered, and answered anew where their conversation went on meanwhile.

    Args:
        clear: lets an admitted request begin anew.
        attempt: answers one that was admitted.
    """

    def __init__(
        self,
        clock: Clock,
        clear: Callable[[Passage], None],
        attempt: Callable[[Passage], Awaitable[Reply]],
    ) -> None:
        self._clock = clock
        self._clear = clear
        self._attempt = attempt
        self._lines = Lines()

    async def answer(self, way: Passage) -> Reply:
        """The reply to a request.

        Raises:
            Conflict: others were quicker each time, or the policy wants no second one.
            DeadlineExceeded: too many others of its session came first.
        """
        line = f"{way.facts.identity.tenant}\n{way.ask.session}"
        if way.ask.session is None or not self._lines.has(line):
            try:
                return await self._attempt(way)
            except Conflict as error:
                if not _may_go_again(way, error):
                    raise
        limit_s = way.ask.deadline - self._clock.monotonic()
        async with self._lines.turn(line, limit_s):
            return await self._again(way)

    async def _again(self, way: Passage) -> Reply:
        """Ask anew with what was said meanwhile; what all of it costs adds up."""
        spent = way.facts.cost_micro_usd
        for left in range(AGAIN - 1, -1, -1):
            way.ask.trail.note("conversation", "asked again", left=left)
            self._clear(way)
            try:
                reply = await self._attempt(way)
            except Conflict as error:
                if not left or not _may_go_again(way, error):
                    raise
                spent += way.facts.cost_micro_usd
            else:
                reply.facts.cost_micro_usd += spent
                return reply
        raise AssertionError("the last time returns or raises")


class Lines:
    """Who waits for a turn in which session."""

    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}
        self._waiting: dict[str, int] = {}

    def has(self, name: str) -> bool:
        """True while somebody has a turn in a session, or waits for one."""
        return name in self._locks

    @asynccontextmanager
    async def turn(self, name: str, limit_s: float) -> AsyncIterator[None]:
        """Wait in line, then have the turn.

        Raises:
            DeadlineExceeded: it did not come in time.
        """
        lock = self._locks.setdefault(name, asyncio.Lock())
        self._waiting[name] = self._waiting.get(name, 0) + 1
        try:
            await _taken(lock, limit_s)
            try:
                yield
            finally:
                lock.release()
        finally:
            self._waiting[name] -= 1
            if not self._waiting[name]:
                del self._waiting[name], self._locks[name]


async def _taken(lock: asyncio.Lock, limit_s: float) -> None:
    try:
        async with asyncio.timeout(limit_s):
            await lock.acquire()
    except TimeoutError:
        raise DeadlineExceeded("Other messages to this session came first") from None


def _may_go_again(way: Passage, error: Conflict) -> bool:
    is_free = way.ask.at_version is None and error.code == CONFLICT
    return is_free and way.rules.policy.conversation.on_conflict == "retry"
