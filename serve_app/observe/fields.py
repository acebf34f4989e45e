"""A series as a name: a field of a hash in Redis, with labels whose values are bounded.

A field is the metric's name, a line `label=value` for each label, and a line that says which part
of a histogram it is (empty for others). Values have no control characters.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from msgspec import Struct

from serve_app.observe.catalog import METRICS
from serve_app.observe.metric import Labels

OTHER: Final = "other"
"""In the place of values that come when there are too many."""
MAX_VALUES: Final = 200
"""Of one label."""
_MAX_CHARS: Final = 120
_MAX_KNOWN: Final = 20_000
TENANT: Final = "tenant"

Series = tuple[str, tuple[str, ...], str]
"""A metric's name, its labels' values (one more is its tenant's), the part of a histogram."""


class Field(Struct, frozen=True, gc=False):
    """What a field's name says."""

    metric: str
    labels: Labels
    part: str


@lru_cache(maxsize=_MAX_KNOWN)
def read(field: str) -> Field | None:
    """None: it is none that we know; one of another version."""
    name, *pairs, part = field.split("\n")
    if name not in METRICS:
        return None
    labels = [pair.partition("=") for pair in pairs]
    return Field(name, tuple(sorted((label, value) for label, _, value in labels)), part)


class Fields:
    """Names series. Of each label so many values keep their own name; what comes then is `other`.

    Values that other processes use count: they are learnt from the fields that there are.
    """

    def __init__(self) -> None:
        self.max_tenants = MAX_VALUES
        self._values: dict[str, dict[str, str]] = {}
        self._names: dict[Series, str] = {}
        self._learnt: set[str] = set()

    def name(self, metric: str, values: Sequence[str], part: str = "") -> str:
        """
        Raises:
            KeyError: there is no such metric.
            ValueError: it has not as many labels.
        """
        series = (metric, tuple(values), part)
        field = self._names.get(series)
        if field is None:
            field = self._made(*series)
            if len(self._names) >= _MAX_KNOWN:
                self._names.clear()
            self._names[series] = field
        return field

    def learn(self, fields: Iterable[str]) -> None:
        """Take over the values that fields in use have."""
        new = set(fields) - self._learnt
        self._learnt |= new
        for field in new:
            found = read(field)
            if found is not None:
                for label, value in found.labels:
                    self._bounded(label, value)

    def forget(self) -> None:
        """The bounds have changed."""
        self._names.clear()
        self._values.clear()
        self._learnt.clear()

    def _made(self, metric: str, values: tuple[str, ...], part: str) -> str:
        labels = METRICS[metric].labels
        if len(values) == len(labels) + 1 and METRICS[metric].by_tenant:
            labels = (*labels, TENANT)
        pairs = zip(labels, values, strict=True)
        lines = [f"{label}={self._bounded(label, value)}" for label, value in pairs]
        return "\n".join([metric, *lines, part])

    def _bounded(self, label: str, value: str) -> str:
        known = self._values.setdefault(label, {})
        shown = known.get(value)
        if shown is not None:
            return shown
        limit = self.max_tenants if label == TENANT else MAX_VALUES
        if value == OTHER or len(known) >= limit:
            return OTHER
        known[value] = shown = _plain(value)
        return shown


def _plain(value: str) -> str:
    """What can stand in a field and in an exposition: valid Unicode, one line, not too long."""
    valid = value.encode("utf-8", "replace").decode()[:_MAX_CHARS]
    return "".join(char if char.isprintable() else "?" for char in valid)
