"""What one process of all does to the tables: sums by hour are made, and what is old is deleted."""

from __future__ import annotations

import logging
from typing import Any, Final

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from serve_app.config.records_policy import RecordsPolicy
from serve_app.records.database import Connection, Database
from serve_app.records.tables import (
    DAY_US,
    DIMENSIONS,
    HOUR_US,
    SUMS,
    charge_hours,
    charges,
    requests,
)

log = logging.getLogger(__name__)

NAMED_US: Final = 7 * DAY_US
"""A charge with a name may become dearer for so long: the ledger, too, forgets names then."""
_LEAST_DAYS: Final = 8
_SETTLES_US: Final = 60_000_000
"""A charge is rolled up when it is so old: most of an hour's minutes then come together."""
_STEP_ROWS: Final = 10_000
"""In one transaction: a fraction of a second, which others wait for where SQLite is."""


def charges_kept_us(policy: RecordsPolicy) -> int:
    """How long charges are kept; what comes later than that is not written any more, because
    nobody could tell whether it had been there before."""
    return max(policy.keep_days, _LEAST_DAYS) * DAY_US


def step(database: Database, policy: RecordsPolicy, now_us: int) -> bool:
    """Do a little of what there is to do; whether there is more.

    Raises:
        SQLAlchemyError: nothing was changed; try again later.
    """
    if _roll(database, now_us):
        return True
    return _retire(database, policy, now_us)


def _roll(database: Database, now_us: int) -> bool:
    """Add charges to the sums of their hours and mark them, in one transaction."""
    with database.writing(whole=True) as connection:
        last = _last_of_step(connection, now_us)
        if last is None:
            return False
        taken = _is_open(now_us) & (charges.c.at <= last)
        connection.execute(_added(database, taken))
        connection.execute(update(charges).where(taken).values(rolled=1))
    return True


def _is_open(now_us: int) -> Any:
    """Charges that are to be rolled up."""
    named = charges.c.is_named == 0
    return (
        (charges.c.rolled == 0)
        & (charges.c.at < now_us - _SETTLES_US)
        & or_(named, charges.c.at < now_us - NAMED_US)
    )


def _last_of_step(connection: Connection, now_us: int) -> int | None:
    """The time up to which charges are taken now; None: there are none."""
    first = select(charges.c.at).where(_is_open(now_us)).order_by(charges.c.at).limit(_STEP_ROWS)
    return connection.execute(select(func.max(first.subquery().c.at))).scalar()


def _added(database: Database, taken: Any) -> Any:
    hour = (charges.c.at // HOUR_US).label("hour")
    dimensions = [charges.c[name] for name in DIMENSIONS]
    sums = [func.sum(charges.c[name]).label(name) for name in SUMS]
    found = select(hour, *dimensions, *sums).where(taken).group_by(hour, *dimensions)
    chosen: Any = sqlite.insert if database.is_sqlite else postgresql.insert
    made = chosen(charge_hours).from_select(["hour", *DIMENSIONS, *SUMS], found)
    return made.on_conflict_do_update(
        index_elements=["hour", *DIMENSIONS],
        set_={name: charge_hours.c[name] + made.excluded[name] for name in SUMS},
    )


def _retire(database: Database, policy: RecordsPolicy, now_us: int) -> bool:
    """Delete what is too old; whether there may be more of it."""
    # A day longer than charges are accepted: whoever is late by a clock doubles nothing.
    charges_until = now_us - charges_kept_us(policy) - DAY_US
    requests_until = now_us - policy.keep_days * DAY_US
    hours_until = (now_us - policy.keep_hours_days * DAY_US) // HOUR_US
    with database.writing() as connection:
        gone = _delete(connection, requests, requests.c.at < requests_until)
        rolled = (charges.c.at < charges_until) & (charges.c.rolled == 1)
        gone += _delete(connection, charges, rolled)
        connection.execute(delete(charge_hours).where(charge_hours.c.hour < hours_until))
    return gone >= _STEP_ROWS


def _delete(connection: Connection, table: Any, which: Any) -> int:
    old = select(table.c.id).where(which).limit(_STEP_ROWS)
    return connection.execute(delete(table).where(table.c.id.in_(old))).rowcount
