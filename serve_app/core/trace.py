"""Where something stands in a distributed trace, as W3C Trace Context writes it down.

    traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
    tracestate:  vendor=whatever

Source: www.w3.org/TR/trace-context, sections 3.2 and 3.3.
"""

from __future__ import annotations

import random
import re
from typing import Final, NamedTuple

_PARENT: Final = re.compile(
    rb"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
)
_MAX_PARENT_BYTES: Final = 256
"""Later versions of the format may be longer than the 55 bytes of version 00; not for ever."""
_MAX_STATE_BYTES: Final = 512
_NEITHER_ZERO: Final = 1 << 191 | 1 << 63
"""No id may be zero: of both, the first bit is always set."""
_SAMPLED: Final = 1
"""The one flag of version 00 that we look at."""


def new_id(bits: int) -> str:
    """A random id in hexadecimal. It has to be unique, not secret: a request that asks the system
    for randomness leaves the processor for it, three times."""
    return f"{random.getrandbits(bits) or 1:0{bits // 4}x}"


def new_ids() -> tuple[str, str]:
    """Ids of a new trace and of its first span, drawn at once."""
    drawn = f"{random.getrandbits(192) | _NEITHER_ZERO:048x}"
    return drawn[:32], drawn[32:]


class Trace(NamedTuple):
    """A place in a trace. Sent on, it is the parent of what the receiver does."""

    trace_id: str
    """32 hexadecimal digits."""
    span_id: str
    """Of who stands there, 16 hexadecimal digits."""
    is_sampled: bool
    state: str = ""
    """`tracestate`: what tracing systems tell each other; sent on as it came."""

    @property
    def parent(self) -> str:
        """As a `traceparent` header."""
        return f"00-{self.trace_id}-{self.span_id}-{self.is_sampled:02x}"

    def headers(self) -> dict[str, str]:
        """What tells somebody whom we call where we stand."""
        told = {"traceparent": self.parent}
        return told | {"tracestate": self.state} if self.state else told


def read_trace(parent: bytes, state: bytes = b"") -> Trace | None:
    """The caller's place, from its headers; None where they do not say it well."""
    if len(parent) > _MAX_PARENT_BYTES or (found := _PARENT.fullmatch(parent)) is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    if more is not None and version == b"00":
        return None
    sampled = bool(int(flags, 16) & _SAMPLED)
    return Trace(trace_id.decode(), span_id.decode(), sampled, _read_state(state))


def _read_state(state: bytes) -> str:
    """It is left out where it is too long or not printable: the standard allows that."""
    if len(state) > _MAX_STATE_BYTES or not state.isascii():
        return ""
    text = state.decode()
    return text if text.isprintable() else ""
