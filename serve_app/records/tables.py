"""The tables of the usage store: times in microseconds since 1970, money in micro-USD, integers.

`requests` has a row for each request that ended, `charges` one for each settlement (see
`core.settlement`), `charge_hours` their sums by hour. A charge is in the sums, or not yet:
`rolled` says which, so a report is the sums and the charges that are not rolled.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
)

MICRO: Final = 1_000_000
HOUR_US: Final = 3_600_000_000
DAY_US: Final = 24 * HOUR_US

metadata: Final = MetaData()


def _text(name: str, *, primary_key: bool = False) -> Column[str]:
    return Column(name, Text, nullable=False, primary_key=primary_key)


def _number(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


def _flag(name: str, default: str | None = None) -> Column[int]:
    """0 or 1: SQLite has no other, and sums of it count."""
    return Column(name, SmallInteger, nullable=False, server_default=default)


requests: Final = Table(
    "requests",
    metadata,
    _text("id", primary_key=True),
    _number("at"),
    _text("request_id"),
    _text("route"),
    _number("status"),
    _text("error"),
    _text("tenant"),
    _text("team"),
    _text("user_id"),
    _text("key_id"),
    _text("backend"),
    _text("model"),
    _text("tier"),
    _text("cache"),
    _flag("is_stream"),
    _number("attempts"),
    _number("prompt_tokens"),
    _number("completion_tokens"),
    _number("cost_micro_usd"),
    _number("saved_micro_usd"),
    _number("duration_us"),
    Column("first_content_us", BigInteger),
    _text("session"),
    Column("content", Text),
    Index("requests_at", "at"),
)

charges: Final = Table(
    "charges",
    metadata,
    _text("id", primary_key=True),
    _number("at"),
    _text("request_id"),
    _text("tenant"),
    _text("team"),
    _text("user_id"),
    _text("key_id"),
    _text("backend"),
    _text("model"),
    _text("route"),
    _text("tier"),
    _text("cache"),
    _flag("is_batch"),
    _flag("is_named"),
    _number("requests"),
    _number("failed"),
    _number("prompt_tokens"),
    _number("completion_tokens"),
    _number("provider_cached_tokens"),
    _number("cost_micro_usd"),
    _number("saved_micro_usd"),
    _flag("rolled", "0"),
    Index("charges_at", "at"),
)
Index(
    "charges_open",
    charges.c.at,
    sqlite_where=text("rolled = 0"),
    postgresql_where=text("rolled = 0"),
)

DIMENSIONS: Final = (
    "tenant", "team", "user_id", "key_id", "backend", "model", "route", "tier", "cache", "is_batch",
)  # fmt: skip
"""What charges are summed up by, besides the hour."""

SUMS: Final = (
    "requests", "failed", "prompt_tokens", "completion_tokens", "provider_cached_tokens",
    "cost_micro_usd", "saved_micro_usd",
)  # fmt: skip

charge_hours: Final = Table(
    "charge_hours",
    metadata,
    _number("hour"),
    *(_flag(name) if name == "is_batch" else _text(name) for name in DIMENSIONS),
    *(_number(name) for name in SUMS),
    PrimaryKeyConstraint("hour", *DIMENSIONS),
)
"""`hour` is hours since 1970, UTC."""

WRITTEN: Final = tuple(column.name for column in charges.columns if column.name != "rolled")
"""What a charge is written with."""
