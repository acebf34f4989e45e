"""What a metric is: its name, what it counts, its labels, and how processes' values are joined."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Kind = Literal["counter", "histogram", "gauge"]
Joined = Literal["sum", "max", "min"]
"""What the service's value of a gauge is, of the values that its processes tell."""

Labels = tuple[tuple[str, str], ...]
"""Label names with their values, sorted by name."""
SECOND = 1_000_000
"""Microseconds: sums of seconds are kept as integers, which add up the same in every order."""


class Metric(Struct, frozen=True):
    """One metric of the service.

    `name` is as it is exposed; a histogram's series are `NAME_bucket`, `NAME_sum`, `NAME_count`.
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    """Upper bounds of a histogram's buckets, without the infinite one."""
    unit: int = 1
    """How many counted ones make 1 of what is exposed."""
    joined: Joined = "sum"
    by_tenant: bool = False
    """It has a label `tenant` too, where the policy wants one."""
