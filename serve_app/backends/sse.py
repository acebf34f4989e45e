"""Server-sent events as bytes: pieces of a stream in, the data of whole events out."""

from __future__ import annotations

from serve_app.backends.base import AttemptFailed

MAX_EVENT_BYTES = 4 << 20
"""One event larger than this is an error: nobody may make us hold more."""

_BOM = b"\xef\xbb\xbf"


class Splitter:
    """Splits one stream; feed it what the network gives, in order.

    Follows the WHATWG rules for `data` fields: LF, CRLF or CR ends a line, one space after the
    colon is dropped, several `data` lines of an event are joined by LF, comments and other
    fields are skipped. Data stays bytes, so a character cut by a packet border is no matter.
    """

    __slots__ = ("_after_cr", "_begun", "_lines", "_max", "_size", "_tail")

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max = max_event_bytes
        self._tail = bytearray()  # of a line that has not ended yet
        self._lines: list[bytes] = []  # data lines of the event that has not ended yet
        self._size = 0  # bytes in `_lines`
        self._after_cr = False  # an LF that comes next belongs to the CR before it
        self._begun = False

    def feed(self, data: bytes) -> list[bytes]:
        """Data of the events that end in this piece.

        Raises:
            AttemptFailed: an event is larger than the limit.
        """
        # The usual packet, whole `data: ...` events and nothing else, is one split in C:
        # 0.3 us an event where line by line takes 1 us.
        is_between_events = not (self._tail or self._lines or self._after_cr)
        if is_between_events and data[:6] == b"data: " and data[-2:] == b"\n\n":
            events = data[6:-2].split(b"\n\ndata: ")
            if (
                data.count(b"\n") == 2 * len(events)
                and b"\r" not in data
                and len(data) <= self._max
            ):
                self._begun = True
                return events
        return self._feed_lines(data)

    def finish(self) -> list[bytes]:
        """Data of a last event whose blank line never came; the stream is over."""
        return self._feed_lines(b"\n\n")

    def _feed_lines(self, data: bytes) -> list[bytes]:
        if self._after_cr and data:
            self._after_cr = False
            data = data.removeprefix(b"\n")
        if b"\r" in data:
            self._after_cr = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        cut = data.rfind(b"\n")
        if cut < 0:
            self._grow_tail(data)
            return []
        lines = (self._tail + data[:cut]).split(b"\n")
        self._tail = bytearray()
        self._grow_tail(data[cut + 1 :])
        if not self._begun:
            self._begun = True
            lines[0] = lines[0].removeprefix(_BOM)
        return self._events(lines)

    def _events(self, lines: list[bytearray]) -> list[bytes]:
        events: list[bytes] = []
        for line in lines:
            if not line:
                if self._lines:
                    events.append(b"\n".join(self._lines))
                    self._lines.clear()
                    self._size = 0
            elif line.startswith(b"data:"):
                self._add(bytes(line[6:] if line[5:6] == b" " else line[5:]))
            elif line == b"data":
                self._add(b"")
        return events

    def _add(self, value: bytes) -> None:
        self._lines.append(value)
        self._size += len(value) + 1
        self._check(self._size)

    def _grow_tail(self, data: bytes) -> None:
        self._tail += data
        self._check(self._size + len(self._tail))

    def _check(self, size: int) -> None:
        if size > self._max:
            raise AttemptFailed(
                "candidate", f"the provider sent an event of more than {self._max} bytes"
            )
