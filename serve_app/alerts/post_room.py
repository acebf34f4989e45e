"""All channels with their couriers: started, exchanged with the policy, closed."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Mapping
from typing import Final

from serve_app.alerts import wording
from serve_app.alerts.base import Tally, Turn
from serve_app.alerts.book import Book
from serve_app.alerts.channels.base import NotDelivered
from serve_app.alerts.channels.making import sender
from serve_app.alerts.courier import Courier
from serve_app.alerts.state import Notice
from serve_app.config.alerts_policy import AlertChannel, AlertsPolicy
from serve_app.core.clock import Clock
from serve_app.core.errors import NotFound

_CLOSE_LIMIT_S: Final = 3.0


class PostRoom:
    """
    Args:
        environ: has the addresses of channels.
    """

    def __init__(
        self,
        book: Book,
        turn: Turn,
        tally: Tally,
        clock: Clock,
        replica: str,
        environ: Mapping[str, str],
    ) -> None:
        self._book = book
        self._turn = turn
        self._tally = tally
        self._clock = clock
        self._replica = replica
        self._environ = environ
        self._policy = AlertsPolicy()
        self.couriers: dict[str, Courier] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._started = False

    def reconfigure(self, policy: AlertsPolicy) -> None:
        """Other channels from now on; a message under way is finished first."""
        for courier in self.couriers.values():
            courier.close()
        self._policy = policy
        self.couriers = {channel.name: self._courier(channel) for channel in policy.channels}
        if self._started:
            self._start_all()

    def start(self) -> None:
        """Begin to send in the background; call it in the running loop."""
        self._started = True
        self._start_all()

    def wake(self) -> None:
        for courier in self.couriers.values():
            courier.wake()

    def give_up(self, channel: str, notice: Notice) -> None:
        """A message for which there was no room."""
        self.couriers[channel].give_up(notice)

    async def test(self, name: str) -> None:
        """Send a test message now, from this process.

        Raises:
            NotFound: there is no such channel.
            NotDelivered: it was not taken.
        """
        courier = self.couriers.get(name)
        if courier is None:
            known = ", ".join(self.couriers) or "none"
            raise NotFound(f"There is no channel {name[:64]!r}; there are: {known}")
        language = courier.channel.language or self._policy.language
        notice = wording.trial(self._policy.service, language, self._clock.wall())
        try:
            async with asyncio.timeout(courier.channel.timeout_s):
                await courier.sender.send(notice)
        except TimeoutError:
            why = f"no answer within {courier.channel.timeout_s:g} s"
            raise NotDelivered(why) from None
        except NotDelivered:
            raise
        except Exception as error:  # noqa: BLE001 - its text may have an address in it
            raise NotDelivered(f"unexpected {type(error).__name__}") from None

    async def close(self) -> None:
        """Finish what is under way; bounded."""
        self._started = False
        for courier in self.couriers.values():
            courier.close()
        tasks = list(self._tasks.values())
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=_CLOSE_LIMIT_S)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
        self._tasks.clear()
        for courier in self.couriers.values():
            courier.sender.close()

    def _courier(self, channel: AlertChannel) -> Courier:
        return Courier(
            channel,
            sender(channel, self._environ, self._clock),
            self._policy,
            self._book,
            self._turn,
            self._tally,
            self._clock,
            self._replica,
        )

    def _start_all(self) -> None:
        loop = asyncio.get_running_loop()
        before, self._tasks = self._tasks, {}
        for name, courier in self.couriers.items():
            self._tasks[name] = loop.create_task(
                _after(before.pop(name, None), courier),
                name=f"alerts {name}",
                context=contextvars.Context(),
            )
        self._tasks.update(before)  # of channels that are no more; they end by themselves


async def _after(before: asyncio.Task[None] | None, courier: Courier) -> None:
    """Two couriers of one channel would send one message twice."""
    if before is not None:
        await asyncio.wait([before])
    await courier.run()
