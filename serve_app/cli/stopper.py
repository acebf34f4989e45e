"""Ctrl-C in a command that waits for the supervisor: handed on, once per press."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from serve_app.cli.life.instance import Instance
from serve_app.cli.life.launch import Show, order_stop
from serve_app.cli.life.records import Status

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopper:
    """Counts what was asked for and hands it on as soon as there is somebody to hand it to."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._handed_on = 0
        self.asked = 0

    def hand_on(self) -> None:
        while self._handed_on < self.asked and order_stop(self._instance):
            self._handed_on += 1

    def around(self, show: Show) -> Show:
        """The same `Show`, handing on what was asked for at each call."""

        def wrapped(status: Status) -> None:
            self.hand_on()
            show(status)

        return wrapped

    def _receive(self, _number: int, _frame: object) -> None:
        self.asked += 1


@contextmanager
def stopper(instance: Instance) -> Iterator[Stopper]:
    """Signals go to the supervisor for as long as the block runs."""
    stopper = Stopper(instance)
    before = {number: signal.signal(number, stopper._receive) for number in _SIGNALS}
    try:
        yield stopper
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
