"""What a PromQL expression is made of, once it is read."""

from __future__ import annotations

from typing import Any, Final, Literal

import re2
from msgspec import Struct

from serve_app.alerts.base import Labels

Kind = Literal["scalar", "vector", "range"]

COMPARISONS: Final = ("==", "!=", "<", ">", "<=", ">=")
SETS: Final = ("and", "or", "unless")
AGGREGATIONS: Final = ("sum", "max", "min", "avg", "count")
RANGE_FUNCTIONS: Final = (
    "rate", "increase", "delta", "avg_over_time", "max_over_time", "min_over_time",
)  # fmt: skip


class Matcher(Struct, frozen=True):
    """`name="value"`; also `!=`, `=~`, `!~`. A label that is absent counts as empty."""

    name: str
    op: str
    value: str
    pattern: Any = None
    """The value as a regular expression of RE2, which takes linear time; matches as a whole."""

    def fits(self, labels: Labels) -> bool:
        found = next((value for name, value in labels if name == self.name), "")
        if self.pattern is None:
            return (found == self.value) is (self.op == "=")
        return (self.pattern.fullmatch(found) is not None) is (self.op == "=~")


def compiled(pattern: str) -> Any:
    """
    Raises:
        re2.error
    """
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)


class Number(Struct, frozen=True):
    value: float


class Selector(Struct, frozen=True):
    """Series of one metric; `range_s` 0: their value now, else those of so long."""

    name: str
    matchers: tuple[Matcher, ...]
    range_s: float
    offset_s: float


class Call(Struct, frozen=True):
    name: str
    args: tuple[Node, ...]


class Aggregate(Struct, frozen=True):
    """`labels` are those that stay, or, with `without`, those that go."""

    op: str
    of: Node
    labels: tuple[str, ...]
    without: bool


class Matching(Struct, frozen=True):
    """Which labels of two vectors have to be equal: these, or (`on` false) all but these."""

    on: bool = False
    labels: tuple[str, ...] = ()

    def key(self, labels: Labels) -> Labels:
        return tuple(pair for pair in labels if (pair[0] in self.labels) is self.on)


class Binary(Struct, frozen=True):
    op: str
    left: Node
    right: Node
    as_bool: bool
    matching: Matching


class Negative(Struct, frozen=True):
    of: Node


Node = Number | Selector | Call | Aggregate | Binary | Negative


def kind_of(node: Node) -> Kind:
    """What a node comes to."""
    match node:
        case Number():
            return "scalar"
        case Selector():
            return "range" if node.range_s else "vector"
        case Negative():
            return kind_of(node.of)
        case Binary():
            both = kind_of(node.left), kind_of(node.right)
            return "scalar" if both == ("scalar", "scalar") else "vector"
        case _:
            return "vector"


def longest_s(node: Node) -> float:
    """How far back an expression looks, in seconds."""
    match node:
        case Selector():
            return node.range_s + node.offset_s
        case Call():
            return max(map(longest_s, node.args), default=0.0)
        case Aggregate() | Negative():
            return longest_s(node.of)
        case Binary():
            return max(longest_s(node.left), longest_s(node.right))
        case _:
            return 0.0
