"""What a process itself says: as lines of JSON, without secrets, and not a thousand times.

`logging` is one tree for a whole process, so this is the one thing that is set up for all of it:
by whoever owns the process (`deployments/`), never by a room.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from serve_app.config.log_policy import LogPolicy
from serve_app.observe.repeats import Repeats

LOGGERS: Final = ("serve_app", "opentelemetry", "asyncio", "alembic")
"""Ours, and those of libraries that work in the background: of a mistake there nobody would hear
otherwise."""

_encode: Final = msgspec.json.Encoder().encode


class Lines(logging.Handler):
    """Writes records as lines of JSON.

    Args:
        redact: takes secrets out of a text.
        write: takes a whole line; None: standard error.
    """

    def __init__(
        self,
        policy: LogPolicy,
        redact: Callable[[str], str],
        write: Callable[[bytes], object] | None = None,
    ) -> None:
        super().__init__()
        self._redact = redact
        self._write = write or _to_stderr
        self._repeats = Repeats(policy.repeats)
        self.reconfigure(policy)

    def reconfigure(self, policy: LogPolicy) -> None:
        """Use another policy from the next record on."""
        self.setLevel(policy.process.upper())
        self._repeats.most = policy.repeats

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, unless its place has said enough for this minute."""
        try:
            for place, count in self._repeats.told(record.created):
                self._write(self._left_out(place, count, record.created))
            if self._repeats.may(_place(record), record.created):
                self._write(self._line(record))
        except Exception:  # noqa: BLE001 - logging's own way: a broken record breaks nothing else
            self.handleError(record)

    def close(self) -> None:
        """Say what was left out."""
        for place, count in self._repeats.told(float("inf")):
            self._write(self._left_out(place, count, datetime.now(UTC).timestamp()))
        super().close()

    def _line(self, record: logging.LogRecord) -> bytes:
        line: dict[str, Any] = {
            "event": "log",
            "time": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._redact(record.getMessage()),
            "place": _place(record),
        }
        if record.exc_info:
            text = logging.Formatter().formatException(record.exc_info)
            line["traceback"] = self._redact(text)
        return bytes(_encode(line)) + b"\n"

    @staticmethod
    def _left_out(place: str, count: int, now: float) -> bytes:
        line = {
            "event": "log",
            "time": datetime.fromtimestamp(now, UTC),
            "level": "warning",
            "logger": __name__,
            "message": f"{count} more records of {place} were left out",
            "place": place,
            "left_out": count,
        }
        return bytes(_encode(line)) + b"\n"


def begin(policy: LogPolicy, redact: Callable[[str], str]) -> None:
    """Let this process write lines from now on; once, however often it is called."""
    if _lines():
        return
    lines = Lines(policy, redact)
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.addHandler(lines)
        logger.propagate = False
    _set_level(policy)


def adjust(policy: LogPolicy) -> None:
    """Use another policy, where `begin` was called."""
    if lines := _lines():
        lines.reconfigure(policy)
        _set_level(policy)


def _set_level(policy: LogPolicy) -> None:
    """Ours may say less than warnings; what libraries have to tell below that is for nobody."""
    logging.getLogger("serve_app").setLevel(policy.process.upper())


def _lines() -> Lines | None:
    handlers = logging.getLogger("serve_app").handlers
    return next((one for one in handlers if isinstance(one, Lines)), None)


def _place(record: logging.LogRecord) -> str:
    return f"{record.name}:{record.lineno}"


def _to_stderr(line: bytes) -> None:
    out = sys.__stderr__
    if out is not None:
        out.buffer.write(line)
        out.buffer.flush()
