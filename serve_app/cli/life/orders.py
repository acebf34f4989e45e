"""Orders to the supervisor: signals, waited for together with time."""

from __future__ import annotations

import os
import select
import signal
import time


class StopOrdered(Exception):
    """The supervisor is to end."""


class Orders:
    """SIGTERM and SIGINT: stop (a second one: at once). SIGHUP: reload.

    A signal ends a pause at once. Made in the main thread, once.
    """

    def __init__(self) -> None:
        self.stops = 0
        self._reloads = 0
        self._read, write = os.pipe()
        for end in (self._read, write):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._receive)

    def _receive(self, number: int, _frame: object) -> None:
        if number == signal.SIGHUP:
            self._reloads += 1
        else:
            self.stops += 1

    def pause(self, seconds: float) -> None:
        """Wait.

        Raises:
            StopOrdered: a stop was ordered, now or before.
        """
        if not self.stops:
            self.rest(seconds)
        if self.stops:
            raise StopOrdered

    def rest(self, seconds: float) -> None:
        """Wait, at most until a signal comes; a stop is not raised."""
        if select.select([self._read], [], [], seconds)[0]:
            os.read(self._read, 4096)

    def take_reload(self) -> bool:
        """True if a reload was ordered since the last call."""
        ordered, self._reloads = self._reloads > 0, 0
        return ordered


class Deadline:
    """Counts down from a number of seconds."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    @property
    def left(self) -> float:
        return max(0.0, self._until - time.monotonic())

    @property
    def over(self) -> bool:
        return self.left == 0.0
