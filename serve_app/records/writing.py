"""Batches of rows in, rows of tables out: each once, however often it is written."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from itertools import chain
from typing import Final

import msgspec

from serve_app.records.database import Connection
from serve_app.records.rows import Batch, Row
from serve_app.records.tables import WRITTEN, charges, requests

_AMOUNTS: Final = (
    "requests", "prompt_tokens", "completion_tokens", "provider_cached_tokens", "cost_micro_usd",
    "saved_micro_usd",
)  # fmt: skip
_REQUESTS: Final = tuple(column.name for column in requests.columns)
_NAMED: Final = WRITTEN.index("is_named")
_MOST_ROWS: Final = 100
"""In a statement. Beside a busy event loop two rows cost 15 microseconds of CPU with 100, and 40
with 1,300 (measured)."""
_ONCE: Final = "ON CONFLICT (id) DO NOTHING"


def write(connection: Connection, batch: Batch) -> None:
    """Write a batch; rows that are there already stay as they are.

    A charge with a name may come from several processes: the dearest counts, and the largest of
    its amounts, as in the ledger. It is final when it is rolled up.
    """
    _add(connection, requests.name, _REQUESTS, batch.requests)
    plain = [row for row in batch.charges if not row[_NAMED]]
    _add(connection, charges.name, WRITTEN, plain)
    # In one order everywhere: else two processes with the same names could block each other.
    named = sorted((row for row in batch.charges if row[_NAMED]), key=lambda row: str(row[0]))
    while named:
        # PostgreSQL takes no name twice in a statement that may change what it has just written.
        once = {row[0]: row for row in named}
        _insert(connection, charges.name, WRITTEN, list(once.values()), _dearest())
        named = [row for row in named if row is not once[row[0]]]


def _add(connection: Connection, table: str, columns: Sequence[str], rows: list[Row]) -> None:
    """Write rows, but for those that are there."""
    if not rows or connection.dialect.name == "sqlite":
        _insert(connection, table, columns, rows, _ONCE)
        return
    # PostgreSQL takes them as one value: a quarter of executemany's time here, and less of its own.
    names = ", ".join(columns)
    values = msgspec.json.encode([dict(zip(columns, row, strict=True)) for row in rows])
    connection.exec_driver_sql(
        f"INSERT INTO {table} ({names}) SELECT {names} "  # noqa: S608
        f"FROM json_populate_recordset(NULL::{table}, %s::json) {_ONCE}",
        (values.decode(),),
    )


def _insert(
    connection: Connection, table: str, columns: Sequence[str], rows: list[Row], conflict: str
) -> None:
    place = "?" if connection.dialect.name == "sqlite" else "%s"
    places = f"({', '.join([place] * len(columns))})"
    into = f"INSERT INTO {table} ({', '.join(columns)}) VALUES"
    # Plain SQL with many rows: at each statement the driver asks for the interpreter's lock some
    # times, and while it waits for it the turns of a busy event loop have to wake it.
    for begin in range(0, len(rows), _MOST_ROWS):
        part = rows[begin : begin + _MOST_ROWS]
        connection.exec_driver_sql(
            f"{into} {', '.join([places] * len(part))} {conflict}",
            tuple(chain.from_iterable(part)),
        )


@functools.cache
def _dearest() -> str:
    """What becomes of a charge with a name that is there already."""
    rank = ("cost_micro_usd", "requests", "completion_tokens", "prompt_tokens")
    new, old = (", ".join(f"{table}.{name}" for name in rank) for table in ("excluded", "charges"))
    sets = []
    for name in WRITTEN:
        if name in _AMOUNTS:
            wins = f"excluded.{name} > charges.{name}"
        elif name not in ("id", "failed"):
            wins = f"({new}) > ({old})"
        else:
            continue
        sets.append(f"{name} = CASE WHEN {wins} THEN excluded.{name} ELSE charges.{name} END")
    return (
        f"ON CONFLICT (id) DO UPDATE SET {', '.join(sets)} "
        "WHERE charges.is_named = 1 AND charges.rolled = 0"
    )
