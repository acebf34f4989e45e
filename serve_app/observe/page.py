"""What was counted in a moment: a dictionary for each kind of thing, with integers."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from typing import NamedTuple

from serve_app.observe import catalog
from serve_app.observe.observer import RequestEnd

Model = tuple[str, str]
"""Backend and model."""
Answer = tuple[str, str, str]
"""Route, backend, model."""
Payer = tuple[str, str, str]
"""Backend, model, tenant; the tenant is empty where it is not told apart."""
Bounds = tuple[float, ...]
"""Upper bounds of buckets, without the infinite one."""


class Spread:
    """A histogram: how many fell into each bucket, and the last that did."""

    __slots__ = ("_bounds", "counts", "last", "total")

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0
        """Sum of what was added: microseconds, or tokens."""
        self.last: dict[int, RequestEnd] = {}
        """By bucket, where somebody keeps them."""

    def add(self, value: float, amount: int) -> int:
        """Count a value; gives its bucket.

        Args:
            value: in the unit of the bounds.
            amount: what it adds to the sum.
        """
        at = bisect_left(self._bounds, value)
        self.counts[at] += 1
        self.total += amount
        return at


_ANSWER_S = catalog.GEN_AI_DURATION.buckets
_FIRST_S = catalog.GEN_AI_FIRST_TOKEN.buckets
_PACE_S = catalog.GEN_AI_PER_TOKEN.buckets
_TOKENS = catalog.GEN_AI_TOKENS.buckets
_LATENCY_S = catalog.REQUEST_SECONDS.buckets
_STAGE_MS = tuple(bound * 1000 for bound in catalog.STAGE_SECONDS.buckets)


class Answers:
    """Answers of one model: seconds they took, until the first content, and for each token after
    it; tokens that were given and put out."""

    __slots__ = ("first", "given", "output", "pace", "taken")

    def __init__(self) -> None:
        self.taken = Spread(_ANSWER_S)
        self.first = Spread(_FIRST_S)
        self.pace = Spread(_PACE_S)
        self.given, self.output = Spread(_TOKENS), Spread(_TOKENS)


class Outcome:
    """How often something came out so, and how long it took where somebody measured that."""

    __slots__ = ("timed", "untimed")

    def __init__(self, bounds: Bounds) -> None:
        self.timed = Spread(bounds)
        self.untimed = 0


class Spent:
    """Tokens and money."""

    __slots__ = ("cached", "cost", "input", "output")

    def __init__(self) -> None:
        self.cost = self.input = self.output = self.cached = 0


def _requests() -> Spread:
    return Spread(_LATENCY_S)


def _stage() -> Outcome:
    return Outcome(_STAGE_MS)


def _attempt() -> Outcome:
    return Outcome(_LATENCY_S)


class Page:
    """Sums of times are microseconds."""

    __slots__ = (
        "answers", "attempts", "errors", "findings", "lookups", "refused", "requests", "retries",
        "saved", "spent", "stages", "tools",
    )  # fmt: skip

    def __init__(self) -> None:
        self.requests: defaultdict[tuple[str, int, str], Spread] = defaultdict(_requests)
        """By route, status and tenant: seconds."""
        self.answers: defaultdict[Answer, Answers] = defaultdict(Answers)
        self.stages: defaultdict[tuple[str, str], Outcome] = defaultdict(_stage)
        """By stage and decision: milliseconds."""
        self.attempts: defaultdict[tuple[str, str, str], Outcome] = defaultdict(_attempt)
        """By backend, model and outcome: seconds."""
        self.spent: defaultdict[Payer, Spent] = defaultdict(Spent)
        self.saved: defaultdict[Model, int] = defaultdict(int)
        self.errors: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.lookups: defaultdict[str, int] = defaultdict(int)
        self.retries: defaultdict[Model, int] = defaultdict(int)
        self.findings: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.tools: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.refused: defaultdict[str, int] = defaultdict(int)


class Part(NamedTuple):
    """How much was counted of a series."""

    metric: str
    values: tuple[str, ...]
    """Of the metric's labels, in their order; one more is of its label `tenant`."""
    part: str
    """Of a histogram: a bucket, by its upper bound, or `sum`. Empty for a counter."""
    n: int


class Example(NamedTuple):
    """A request that fell into a bucket."""

    trace: str
    """Of its trace; empty: it has none."""
    request: str
    value: float
    at: float
    """Unix seconds."""
