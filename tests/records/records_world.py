"""Requests and charges for the tests of the records, and a store that is told of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import func, make_url, select
from sqlalchemy.exc import SQLAlchemyError

from serve_app.config.records_policy import RecordsPolicy
from serve_app.config.watch_settings import RecordsSettings
from serve_app.core.clock import Clock, SystemClock
from serve_app.core.settlement import Settlement
from serve_app.core.trail import Trail
from serve_app.observe.observer import RequestEnd
from serve_app.records.database import Database
from serve_app.records.records import Records
from serve_app.records.reports import Reports, Wanted
from serve_app.records.tables import charge_hours, charges, requests

LIMIT_S = 30.0
AGES = 4_000_000_000
"""A time after all others, in Unix seconds."""


def charge(**changes: Any) -> Settlement:
    values: dict[str, Any] = {
        "tenant": "acme", "user": "ann", "model": "m", "backend": "p", "prompt_tokens": 10,
        "completion_tokens": 5, "cost_micro_usd": 7,
    }  # fmt: skip
    return Settlement(**{**values, **changes})


def end(name: str = "req_1", **changes: Any) -> RequestEnd:
    values: dict[str, Any] = {"trail": Trail(name), "route": "/v1/chat/completions", "status": 200,
                              "duration_s": 0.25, "tenant": "acme"}  # fmt: skip
    return RequestEnd(**{**values, **changes})


def opened(
    folder: Path,
    url: str = "sqlite",
    *,
    clock: Clock | None = None,
    is_mine: Callable[[], bool] = lambda: False,
    keep: RecordsPolicy | None = None,
    **settings: Any,
) -> Records:
    """A store in a folder, that writes often."""
    chosen = RecordsSettings(url=url, **{"interval_s": 0.02, **settings})
    return Records(chosen, keep or RecordsPolicy(), folder, {}, clock or SystemClock(), is_mine)


class Look:
    """What is in a database."""

    def __init__(self, url: str) -> None:
        self.database = Database(make_url(url))
        self.reports = Reports(self.database)

    def numbers(self) -> tuple[int, int]:
        """Rows of requests and of charges; -1: the tables are not there."""
        try:
            with self.database.reading() as connection:
                found = [
                    connection.execute(select(func.count()).select_from(table)).scalar_one()
                    for table in (requests, charges)
                ]
        except SQLAlchemyError:
            return -1, -1
        return found[0], found[1]

    def cost(self) -> int:
        return self.reports.costs(Wanted(0, AGES)).total.cost_micro_usd

    def rows_of_hours(self) -> list[Any]:
        with self.database.reading() as connection:
            return list(connection.execute(select(charge_hours)))

    def until_hours(self) -> None:
        """Wait until there are sums."""
        until(lambda: bool(self.rows_of_hours()))

    def rows(self, table: Any) -> list[Any]:
        with self.database.reading() as connection:
            return list(connection.execute(select(table).order_by(table.c.id)))


Looks = Callable[[str], Look]


def until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so."""
    limit = time.monotonic() + LIMIT_S
    while not is_so():
        assert time.monotonic() < limit, "it never was so"
        time.sleep(0.01)


def close(records: Records) -> None:
    asyncio.run(records.close())
