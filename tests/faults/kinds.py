"""Every kind of fault: what the scripted provider does, and how it must end for the caller.

A request has two candidates. The first plays the fault; the second is well unless the row says
otherwise, and goes on from a begun answer that is handed over as `partial`. Both know the same
long text (`provider.answers.tale`), so a test knows the whole right answer.
"""

from __future__ import annotations

from dataclasses import dataclass

from provider.refusal_words import TOO_LONG, UNWANTED

WELL = ("tale+partial+ok",)


@dataclass(frozen=True)
class End:
    """How a request ends, and how often each candidate was asked for it.

    `status` 200 without `error` is the whole right answer. With `error` (words of its message)
    and status 200, a stream that had begun ends with that error.
    """

    first: int
    second: int
    status: int = 200
    error: str = ""
    pauses: tuple[tuple[float, float], ...] = ()
    """Least and most seconds between the requests to the first candidate."""
    within_s: float = 10.0


@dataclass(frozen=True)
class Kind:
    """One row. `stream` or `whole` is None where the fault does not exist."""

    name: str
    first: tuple[str, ...]
    """Behaviours of the first candidate, one a request; the last stays."""
    stream: End | None
    whole: End | None
    second: tuple[str, ...] = WELL
    takes_prefix: bool = True
    """Whether the second candidate is said to go on from a begun answer."""
    is_slow: bool = False
    """Waits out the limit of a whole call, which is long on real placements."""


def both(name: str, end: End, *first: str, second: tuple[str, ...] = WELL) -> Kind:
    return Kind(name, first, end, end, second)


def streamed(name: str, end: End, *first: str, second: tuple[str, ...] = WELL) -> Kind:
    return Kind(name, first, end, None, second)


BACKOFF = ((0.04, 1.5),)
"""One pause of our own choosing."""

FIRST = End(1, 0)
SECOND = End(1, 1)
SECOND_AT_ONCE_TWICE = End(2, 1, pauses=BACKOFF)
"""Tried again, then the next candidate."""
AGAIN = End(2, 0, pauses=BACKOFF)
"""The second try is well."""

BUSY = (
    both("500-once", AGAIN, "tale+status-500", "tale"),
    both("503-for-ever", SECOND_AT_ONCE_TWICE, "status-503"),
    both("429-once", AGAIN, "status-429", "tale"),
    both("429-wait-1", End(2, 0, pauses=((1.0, 3.0),)), "status-429-retry-after-1", "tale"),
    both("429-wait-till", End(2, 0, pauses=((1.0, 4.0),)), "status-429-retry-at-1s", "tale"),
    both("429-wait-long", SECOND, "status-429-retry-after-3600"),
    both("429-wait-till-long", SECOND, "status-429-retry-at-3600s"),
    both("503-wait-long", SECOND, "status-503-retry-after-3600"),
    both(
        "all-503", End(2, 2, 502, "scripted 503", pauses=BACKOFF), "status-503",
        second=("status-503",),
    ),
    both(
        "all-429", End(1, 1, 503, "scripted 429"), "status-429-retry-after-3600",
        second=("status-429-retry-after-3600",),
    ),
)  # fmt: skip

CONNECTIONS = (
    both("reset-once", AGAIN, "reset-before-headers", "tale"),
    both("reset-for-ever", SECOND_AT_ONCE_TWICE, "reset-before-headers"),
    both("closed", SECOND_AT_ONCE_TWICE, "close-before-headers"),
    both("not-http", SECOND_AT_ONCE_TWICE, "not-http"),
    both("header-flood", SECOND_AT_ONCE_TWICE, "header-flood"),
    both("endless-header", SECOND_AT_ONCE_TWICE, "endless-header"),
    both("endless-header-line", SECOND_AT_ONCE_TWICE, "endless-header-line"),
    Kind("no-response", ("no-response",), SECOND, SECOND, is_slow=True),
    Kind("head-only", ("head-only",), SECOND, SECOND, is_slow=True),
    streamed("comments-only", SECOND, "comments-only"),
    both("slow", FIRST, "tale+slow-300ms"),
    both("slow-first", FIRST, "tale+slow-first-300ms"),
)

ANSWERS = (
    both("error-in-200", SECOND_AT_ONCE_TWICE, "error-in-200"),
    both("wrong-type", SECOND_AT_ONCE_TWICE, "wrong-content-type"),
    streamed("never-streams", FIRST, "tale+never-streams"),
    Kind("malformed-body", ("malformed-body",), None, SECOND_AT_ONCE_TWICE),
    *(both(f"redirect-{code}", SECOND, f"redirect-{code}") for code in (301, 302, 307, 308)),
    both("100-mb", SECOND, "huge-100mb"),
    both("gzip", FIRST, "tale+gzip"),
    both("gzip-bomb", SECOND, "gzip-bomb"),
    both("bad-request", End(1, 0, 400, "Invalid value for 'temperature'"), "bad-request"),
    both("in-200-bad-request", End(1, 0, 400, "top_p is wrong"), "error-in-200-bad-request"),
)

MID_STREAM = (
    Kind("cut", ("tale+cut-after-20",), SECOND, SECOND_AT_ONCE_TWICE),
    streamed("cut-before-content", SECOND_AT_ONCE_TWICE, "tale+cut-after-0"),
    streamed("ends-early", SECOND, "tale+end-after-20"),
    streamed("done-early", SECOND, "tale+no-finish"),
    streamed("stall", SECOND, "tale+stall-after-20"),
    streamed("trickle", SECOND, "tale+trickle-after-20"),
    streamed("garbage", SECOND, "tale+garbage-after-20"),
    streamed("error-event", SECOND, "tale+error-event-after-20"),
    streamed("error-event-first", SECOND_AT_ONCE_TWICE, "error-event"),
    streamed("malformed-between", FIRST, "tale+malformed-between-after-5"),
    streamed("malformed-first", FIRST, "tale+malformed-between-after-0"),
    streamed("no-done", FIRST, "tale+no-done"),
    streamed("no-done-cut", FIRST, "tale+no-done-cut"),
    streamed("open-end", FIRST, "tale+open-end"),
)
"""After the first content nothing can be tried in silence: the second goes on from it."""

CUT = ("tale+cut-after-20",)

FALLBACKS = (
    Kind("restarts", CUT, SECOND, None, ("tale",), takes_prefix=False),
    Kind("ignores-prefix", CUT, SECOND, None, ("tale",)),
    Kind("rejects-prefix", CUT, End(1, 2), None, ("tale+no-prefix",)),
    Kind("other-words", CUT, End(2, 1, error="broke off"), None, ("other-words",), False),
    Kind("departs", CUT, End(2, 1, error="broke off"), None, ("departs",), False),
    Kind("tools-cut", ("tools-cut-after-1",), End(1, 0, error="broke off"), None, ("tools",)),
)
"""What the second candidate may do with an answer that was begun."""

FRAMING = tuple(
    streamed(name, FIRST, f"tale+{name}")
    for name in ("bytewise", "fifty-packets", "two-lines", "crlf", "no-space", "comments-first")
)

TOO_LONG_KINDS = tuple(
    both(f"context-of-{name}", SECOND, f"context-of-{name}") for name in TOO_LONG
)

UNWANTED_KINDS = tuple(
    both(f"content-of-{name}", End(1, 0, 400), f"content-of-{name}") for name in UNWANTED
)

KINDS = (
    *BUSY, *CONNECTIONS, *ANSWERS, *MID_STREAM, *FALLBACKS, *FRAMING, *TOO_LONG_KINDS,
    *UNWANTED_KINDS,
)  # fmt: skip

KEY_KINDS = (both("quota", SECOND, "quota"), both("key-refused", SECOND, "auth"))
"""What rests a key with all that are asked with it: not to be played where others need it."""

FLAPPING = Kind("flapping", ("tale",), SECOND, None)
"""Its behaviour is set by its own test; not a row of the table."""
