"""Signals that ask the program to end: what has been answered is kept first."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupted(BaseException):
    """The program was asked to end. Not an `Exception`: nothing on the way may swallow it."""


@contextmanager
def ending_on_signals() -> Iterator[None]:
    """SIGINT and SIGTERM (which `ray job stop` sends) raise `Interrupted`, once."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, _interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    # A second one must not cut off the keeping.
    signal.signal(number, signal.SIG_IGN)
    raise Interrupted(f"{signal.Signals(number).name} came")
