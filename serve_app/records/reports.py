"""Reports: a period and what to group by in, sums out. One query for SQLite and PostgreSQL."""

from __future__ import annotations

import time
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Select,
    Subquery,
    case,
    func,
    literal,
    select,
    union_all,
)

from serve_app.core.costs import CostReport, CostRow, Spent
from serve_app.core.hits import HITS
from serve_app.records.database import Connection, Database, SQLAlchemyError
from serve_app.records.tables import DIMENSIONS, HOUR_US, SUMS, charge_hours, charges

_HOUR_S: Final = 3600
_COLUMNS: Final = {"user": "user_id", "key": "key_id", "batch": "is_batch"}
"""Names of a report's groups that columns do not have."""
_TIMES: Final = {"hour": "%Y-%m-%dT%H:00:00Z", "day": "%Y-%m-%d"}


class ReportsAway(Exception):
    """There are no records, or the database cannot be read now."""


class Wanted(Struct, frozen=True):
    """What to report."""

    since: int
    """Unix seconds; the hour that it is in counts whole."""
    until: int
    """Unix seconds; so does this one's, unless it is a full hour."""
    by: tuple[str, ...] = ()
    """Names of `core.costs.GROUPS`."""
    tenant: str = ""
    user: str = ""
    key: str = ""
    """Only of these; empty: of all."""
    limit: int = 1000
    """Groups at most."""


class Reports:
    """Reads the records. Calls block: make them in a thread.

    Args:
        database: None: there are no records.
    """

    def __init__(self, database: Database | None) -> None:
        self._database = database

    def costs(self, wanted: Wanted) -> CostReport:
        """
        Raises:
            ReportsAway
        """
        if self._database is None:
            raise ReportsAway("no records are kept: records.url is `none`")
        try:
            with self._database.reading() as connection:
                return _report(connection, wanted)
        except SQLAlchemyError as error:
            raise ReportsAway(f"the records cannot be read ({type(error).__name__})") from error

    def close(self) -> None:
        if self._database is not None:
            self._database.close()


def _report(connection: Connection, wanted: Wanted) -> CostReport:
    first = wanted.since // _HOUR_S
    last = -(-wanted.until // _HOUR_S)
    found = _found(wanted, first, last).subquery()
    total = Spent(*map(_whole, connection.execute(select(*_sums(found))).one()))
    rows = []
    if wanted.by:
        rows = [_row(wanted.by, row) for row in connection.execute(_grouped(found, wanted))]
    return CostReport(
        since=first * _HOUR_S,
        until=last * _HOUR_S,
        total=total,
        rows=rows[: wanted.limit],
        is_complete=len(rows) <= wanted.limit,
    )


def _found(wanted: Wanted, first: int, last: int) -> CompoundSelect[Any]:
    """Sums of hours, and the charges that are in none of them yet."""
    done = select(charge_hours.c.hour.label("hour"), *_of(charge_hours)).where(
        charge_hours.c.hour >= first, charge_hours.c.hour < last
    )
    fresh = select((charges.c.at // HOUR_US).label("hour"), *_of(charges)).where(
        charges.c.rolled == 0, charges.c.at >= first * HOUR_US, charges.c.at < last * HOUR_US
    )
    return union_all(
        _only(done, charge_hours, wanted),
        _only(fresh, charges, wanted),
    )


def _of(table: Any) -> list[ColumnElement[Any]]:
    return [table.c[name] for name in (*DIMENSIONS, *SUMS)]


def _only(query: Select[Any], table: Any, wanted: Wanted) -> Select[Any]:
    for column, value in (
        ("tenant", wanted.tenant),
        ("user_id", wanted.user),
        ("key_id", wanted.key),
    ):
        if value:
            query = query.where(table.c[column] == value)
    return query


def _sums(found: Subquery) -> list[ColumnElement[Any]]:
    """In the order of the fields of `Spent`."""
    c, is_hit = found.c, found.c.cache.in_(HITS)

    def asked(amount: Any) -> Any:
        return case((is_hit, 0), else_=amount)

    def served(amount: Any) -> Any:
        return case((is_hit, amount), else_=0)

    amounts = (
        c.requests, c.failed, asked(c.prompt_tokens), asked(c.completion_tokens),
        c.cost_micro_usd, served(c.requests), served(c.prompt_tokens),
        served(c.completion_tokens), c.saved_micro_usd, asked(c.provider_cached_tokens),
    )  # fmt: skip
    return [func.sum(amount) for amount in amounts]


def _grouped(found: Subquery, wanted: Wanted) -> Select[Any]:
    """The newest last where groups are times, else the dearest first."""
    groups = [_group(found, name).label(f"g{at}") for at, name in enumerate(wanted.by)]
    cost = func.sum(found.c.cost_micro_usd)
    in_time = [group for group, name in zip(groups, wanted.by, strict=True) if name in _TIMES]
    order = [*in_time, cost.desc(), *groups]
    query = select(*groups, *_sums(found)).group_by(*groups).order_by(*order)
    return query.limit(wanted.limit + 1)


def _group(found: Subquery, name: str) -> ColumnElement[Any]:
    if name == "hour":
        return found.c.hour + literal(0)
    if name == "day":
        return found.c.hour // 24
    column: ColumnElement[Any] = found.c[_COLUMNS.get(name, name)]
    return column


def _row(by: tuple[str, ...], row: Any) -> CostRow:
    names = row[: len(by)]
    group = {name: _shown(name, value) for name, value in zip(by, names, strict=True)}
    return CostRow(group, Spent(*map(_whole, row[len(by) :])))


def _shown(name: str, value: Any) -> str:
    if name in _TIMES:
        seconds = int(value) * (_HOUR_S if name == "hour" else 24 * _HOUR_S)
        return time.strftime(_TIMES[name], time.gmtime(seconds))
    if name == "batch":
        return "true" if value else "false"
    return str(value)


def _whole(amount: Any) -> int:
    """Sums of nothing are null, and those of PostgreSQL are decimals."""
    return int(amount or 0)
