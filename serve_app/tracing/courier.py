"""The thread that takes requests' spans to the collector; a bounded queue leads to it."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from serve_app.observe.observer import RequestEnd
from serve_app.tracing.sketcher import Sketcher

if TYPE_CHECKING:
    from serve_app.tracing.otlp import Otlp

logger = logging.getLogger(__name__)

_BATCH: Final = 200
"""Requests sent together: about 1500 spans."""
_LOOK_S: Final = 0.5
_GATHER_S: Final = 2.0
"""A request to the collector costs by itself what the spans of three requests do (measured)."""
_COMPLAIN_EVERY_S: Final = 60.0


class Courier:
    """Sends in the background; what does not fit in its queue is counted and left out.

    Args:
        endpoint: see `Otlp`.
        waiting: requests that may wait to be sent.
        timeout_s: for one batch, tries included.
    """

    def __init__(
        self,
        endpoint: str,
        resource: Mapping[str, str],
        version: str,
        sketcher: Sketcher,
        *,
        waiting: int = 2000,
        timeout_s: float = 5.0,
    ) -> None:
        self.sketcher = sketcher
        self.lost = 0
        """Requests whose spans never arrived."""
        self._endpoint = endpoint
        self._resource = resource
        self._version = version
        self._timeout_s = timeout_s
        self._ends: deque[RequestEnd] = deque()
        self._waiting = waiting
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._otlp: Otlp | None = None
        self._complained_at = float("-inf")

    def start(self) -> None:
        """Begin to send what comes."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="tracing", daemon=True)
            self._thread.start()

    def put(self, end: RequestEnd) -> None:
        """Send the spans of a request. Never waits, and wakes nobody: a thread that wants the
        interpreter's lock is woken in vain at every turn of a busy event loop."""
        if len(self._ends) < self._waiting:
            self._ends.append(end)
        else:
            self.lost += 1

    def close(self, limit_s: float) -> None:
        """Send what waits, and stop; blocks, at most so long."""
        if self._thread is None:
            return
        self._closing.set()
        self._thread.join(limit_s)
        if self._otlp is not None:
            self._otlp.close()
        self._thread.join(1.0)
        self._thread = None

    def _run(self) -> None:
        try:
            self._otlp = self._opened()
        except Exception:
            logger.exception("requests are not traced: OpenTelemetry cannot be used")
        sent_at = time.monotonic()
        while not self._closing.wait(_LOOK_S):
            if len(self._ends) >= _BATCH or time.monotonic() - sent_at >= _GATHER_S:
                self._send_all()
                sent_at = time.monotonic()
        self._send_all()

    def _send_all(self) -> None:
        while self._ends:
            self._deliver([self._ends.popleft() for _ in range(min(_BATCH, len(self._ends)))])

    def _opened(self) -> Otlp:
        # Here, not above: nobody pays for the import who does not trace.
        from serve_app.tracing.otlp import Otlp

        return Otlp(self._endpoint, self._resource, self._version, self._timeout_s)

    def _deliver(self, ends: list[RequestEnd]) -> None:
        try:
            sent = self._sent(ends)
        except Exception:  # a mistake in one batch must not end the thread, and be seen
            logger.exception("the spans of %d requests could not be made", len(ends))
            sent = False
        if not sent:
            self.lost += len(ends)
            self._complain(len(ends))

    def _sent(self, ends: list[RequestEnd]) -> bool:
        if self._otlp is None:
            return False
        drawn = self.sketcher.drawn
        return self._otlp.send([(end.trail, drawn(end)) for end in ends])

    def _complain(self, count: int) -> None:
        now = time.monotonic()
        if now - self._complained_at >= _COMPLAIN_EVERY_S:
            self._complained_at = now
            logger.warning(
                "the spans of %d requests did not reach %s (%d so far)",
                count,
                self._endpoint,
                self.lost,
            )
