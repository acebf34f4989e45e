"""Charges with a name, beside the ledger's rule in plain Python: whoever writes them, whenever."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from records.records_world import AGES, Look, charge

from serve_app.core.settlement import Settlement
from serve_app.records import schema
from serve_app.records.reports import Wanted
from serve_app.records.rows import Rows
from serve_app.records.writing import write


@pytest.fixture
def there(url: str) -> Iterator[Look]:
    look = Look(url)
    schema.migrate(look.database)
    yield look
    look.database.close()


attempts = st.builds(
    lambda name, status, model, cost, broken: (
        name,
        [
            {"status": status, "model": model, "cost_micro_usd": cost, "requests": 1},
            *({"model": "b", "cost_micro_usd": part, "requests": 0} for part in broken),
        ],
    ),
    st.sampled_from(["x", "y", ""]),
    st.sampled_from(["ok", "left", "failed"]),
    st.sampled_from(["a", "b"]),
    st.integers(0, 90),
    st.lists(st.integers(0, 50), max_size=2),
)
plays = st.lists(st.lists(attempts, min_size=1, max_size=3), max_size=5)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # each play has its own tenant
)
@given(play=plays)
def test_of_each_name_the_dearest_attempt_counts(there: Look, play: list[list[object]]) -> None:
    tenant = uuid4().hex
    expected_cost, expected_requests = 0, 0
    dearest: dict[str, int] = {}
    answered: set[str] = set()
    for batch in play:
        settled: list[Settlement] = []
        for name, parts in batch:  # type: ignore[misc]
            settled += [charge(tenant=tenant, once=name, **part) for part in parts]
            cost = sum(part["cost_micro_usd"] for part in parts)
            is_answer = parts[0]["status"] != "failed"
            if not name:
                expected_cost, expected_requests = expected_cost + cost, expected_requests + 1
                continue
            dearest[name] = max(dearest.get(name, 0), cost)
            answered |= {name} if is_answer else set()
        with there.database.writing() as connection:
            write(connection, Rows().of([], settled, 1_000_000))
    total = there.reports.costs(Wanted(0, AGES, tenant=tenant)).total
    assert total.cost_micro_usd == expected_cost + sum(dearest.values())
    assert total.requests == expected_requests + len(answered)
