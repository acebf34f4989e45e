"""The bill of a request that has a name: it counts once, however often the request is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from serve_app.accounting.totals import METRICS, Row, Sums
from serve_app.core.limits import Lease
from serve_app.core.settlement import Settlement

Place = Callable[[Row], list[int | str]]
"""Of a row: the numbers of the hashes that it is summed up in, each with its name there."""


class Bill(Struct, frozen=True):
    """What a request with a name came to, until Redis decides how much of that is new.

    Of all that is done under one name the dearest counts: an attempt that broke off and the one
    after it, or two workers that did the same, cost what one answer costs. Only an answer (or
    somebody who left one) counts as a request.
    """

    lease: Lease
    rows: dict[Row, Sums] = {}

    def add(self, row: Row, settled: Settlement) -> None:
        sums = self.rows.setdefault(row, Sums())
        is_counted = any(some.requests for some in self.rows.values())
        sums.add(settled)
        sums.failed = 0
        if is_counted or settled.status == "failed":
            sums.requests -= settled.requests

    def packed(self, mark: int, place: Place, changes: Mapping[str, int]) -> list[object]:
        """As the script takes it.

        Args:
            mark: number of the key that remembers its name.
            changes: numbers of the scopes' changes, by state.
        """
        rows = sorted(self.rows.items(), key=lambda item: -item[1].requests)
        return [
            mark,
            [[place(row), [getattr(sums, metric) for metric in METRICS]] for row, sums in rows],
            [changes[scope.state] for scope in self.lease.scopes],
        ]
