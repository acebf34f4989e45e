"""Takes the messages of one channel to it, one after the other, and tries again where it fails."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from serve_app.alerts.base import Tally, Turn
from serve_app.alerts.book import Book
from serve_app.alerts.channels.base import NotDelivered, Sender
from serve_app.alerts.state import Notice, Waiting
from serve_app.config.alerts_policy import AlertChannel, AlertsPolicy
from serve_app.core.clock import Clock

logger = logging.getLogger(__name__)

_IDLE_S: Final = 5.0
_MARGIN_S: Final = 5.0
_COMPLAIN_EVERY_S: Final = 60.0


class Courier:
    """A channel that is dead keeps nobody waiting but those who wait for it.

    That a message is about to be sent is kept before it is, and that it was after: whoever takes
    over sends neither twice nor never. Only of one whose sender died on the way it is not known;
    that one is sent again.

    Args:
        replica: names this process among all of them.
    """

    def __init__(
        self,
        channel: AlertChannel,
        sender: Sender,
        policy: AlertsPolicy,
        book: Book,
        turn: Turn,
        tally: Tally,
        clock: Clock,
        replica: str,
    ) -> None:
        self.channel = channel
        self.sender = sender
        self._policy = policy
        self._book = book
        self._turn = turn
        self._tally = tally
        self._clock = clock
        self._replica = replica
        self._news = asyncio.Event()
        self._closing = False
        self._complained = float("-inf")

    def wake(self) -> None:
        """There may be something to send."""
        self._news.set()

    def close(self) -> None:
        """Begin no further try; `run` ends after the one under way."""
        self._closing = True
        self._news.set()

    async def run(self) -> None:
        try:
            while not self._closing:
                self._news.clear()
                pause_s = await self._step()
                if pause_s > 0 and not self._closing:
                    await self._rest(pause_s)
        finally:
            self.sender.close()

    async def _step(self) -> float:
        try:
            return await self.step()
        except Exception:  # the loop must live on, and the mistake be seen
            logger.exception("alert channel %s", self.channel.name)
            return _IDLE_S

    async def step(self) -> float:
        """Try the next message if it is time to; seconds until there is something to do."""
        state = self._book.state
        outbox = state.outbox.get(self.channel.name, []) if state and self._turn.is_mine else []
        if not outbox:
            return _IDLE_S
        one, now = outbox[0], self._clock.wall()
        free_at = one.next_at
        if one.taken_at and one.taken_by != self._replica:
            free_at = max(free_at, one.taken_at + self.channel.timeout_s + _MARGIN_S)
        if now < free_at:
            return free_at - now
        if now - one.notice.at > self._policy.give_up_s:
            self.give_up(one.notice)
            outbox.remove(one)
            await self._book.save()
            return 0.0
        one.taken_by, one.taken_at = self._replica, now
        if await self._book.save():
            await self._try(one.notice)
        return 0.0

    def give_up(self, notice: Notice) -> None:
        """A message that is not sent any more."""
        self._tally.alert_sent(self.channel.name, "lost")
        logger.error("alert channel %s: a message about %s was given up",
                     self.channel.name, notice.alert)  # fmt: skip

    async def _try(self, notice: Notice) -> None:
        try:
            async with asyncio.timeout(self.channel.timeout_s):
                await self.sender.send(notice)
        except TimeoutError:
            self._failed(notice, f"no answer within {self.channel.timeout_s:g} s")
        except NotDelivered as error:
            self._failed(notice, str(error))
        except Exception as error:  # noqa: BLE001 - its text may have an address in it
            self._failed(notice, f"unexpected {type(error).__name__}")
        else:
            self._sent(notice)
        await self._book.save()

    def _sent(self, notice: Notice) -> None:
        self._tally.alert_sent(self.channel.name, "sent")
        one, state = self._book.find(self.channel.name, notice.id), self._book.state
        if one is not None and state is not None:
            state.outbox[self.channel.name].remove(one)
            state.troubles.pop(self.channel.name, None)

    def _failed(self, notice: Notice, why: str) -> None:
        self._tally.alert_sent(self.channel.name, "failed")
        now = self._clock.monotonic()
        if now - self._complained >= _COMPLAIN_EVERY_S:
            self._complained = now
            logger.warning("alert channel %s: %s; it is tried again", self.channel.name, why)
        one = self._book.find(self.channel.name, notice.id)
        if one is not None and self._book.state is not None:
            self._book.state.troubles[self.channel.name] = why
            one.taken_by, one.taken_at = "", 0.0
            one.tries += 1
            one.next_at = self._clock.wall() + self._pause_s(one)

    def _pause_s(self, one: Waiting) -> float:
        longest = self._policy.max_retry_s
        return min(longest, self._policy.retry_s * 2.0 ** min(one.tries - 1, 30))

    async def _rest(self, pause_s: float) -> None:
        try:
            async with asyncio.timeout(min(pause_s, _IDLE_S)):
                await self._news.wait()
        except TimeoutError:
            return
