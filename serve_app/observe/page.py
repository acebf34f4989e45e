"""What was counted in a moment: a dictionary for each kind of thing, with integers."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from serve_app.observe.observer import RequestEnd

NO_TIME = -1
"""In the place of a bucket: nobody measured how long it took."""

Model = tuple[str, str]
"""Backend and model."""
Answer = tuple[str, str, str]
"""Route, backend, model."""
Payer = tuple[str, str, str]
"""Backend, model, tenant; the tenant is empty where it is not told apart."""


class Page:
    """Keys end in the number of the bucket, where there is one. Sums of times are microseconds."""

    __slots__ = (
        "answer_last", "answer_us", "answers", "attempt_us", "attempts", "costs", "errors",
        "findings", "first_us", "firsts", "lookups", "pace_us", "paces", "refused", "request_last",
        "request_us", "requests", "retries", "saved", "stage_us", "stages", "token_sums", "tokens",
        "tools", "usages",
    )  # fmt: skip

    def __init__(self) -> None:
        self.requests: defaultdict[tuple[str, int, str, int], int] = defaultdict(int)
        self.request_us: defaultdict[str, int] = defaultdict(int)
        self.request_last: dict[tuple[str, int], RequestEnd] = {}
        self.errors: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.lookups: defaultdict[str, int] = defaultdict(int)
        self.stages: defaultdict[tuple[str, str, int], int] = defaultdict(int)
        self.stage_us: defaultdict[str, int] = defaultdict(int)
        self.attempts: defaultdict[tuple[Model, str, int], int] = defaultdict(int)
        self.attempt_us: defaultdict[Model, int] = defaultdict(int)
        self.retries: defaultdict[Model, int] = defaultdict(int)
        self.findings: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.tools: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.refused: defaultdict[str, int] = defaultdict(int)
        self.tokens: defaultdict[tuple[Payer, str], int] = defaultdict(int)
        self.costs: defaultdict[Payer, int] = defaultdict(int)
        self.saved: defaultdict[Model, int] = defaultdict(int)
        self.answers: defaultdict[tuple[Answer, int], int] = defaultdict(int)
        self.answer_us: defaultdict[Answer, int] = defaultdict(int)
        self.answer_last: dict[tuple[Answer, int], RequestEnd] = {}
        self.firsts: defaultdict[tuple[Answer, int], int] = defaultdict(int)
        self.first_us: defaultdict[Answer, int] = defaultdict(int)
        self.paces: defaultdict[tuple[Answer, int], int] = defaultdict(int)
        self.pace_us: defaultdict[Answer, int] = defaultdict(int)
        self.usages: defaultdict[tuple[Answer, str, int], int] = defaultdict(int)
        self.token_sums: defaultdict[tuple[Answer, str], int] = defaultdict(int)


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
