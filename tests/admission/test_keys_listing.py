"""Pages of keys: every one once, newest first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.admission.listing import page
from serve_app.core.api_key import digest
from serve_app.core.errors import BadRequest
from serve_app.core.key_record import KeyQuery, KeyRecord


def made(number: int, created_at: int, tenant: str = "t") -> KeyRecord:
    return KeyRecord(digest(str(number)).hex(), tenant, created_at=created_at)


@given(st.lists(st.integers(0, 5), max_size=30), st.integers(1, 7))
def test_pages_have_every_key_once_and_newest_first(times: list[int], limit: int) -> None:
    records = [made(number, at) for number, at in enumerate(times)]
    seen: list[KeyRecord] = []
    after = ""
    while True:
        found = page(records, KeyQuery(after=after, limit=limit))
        assert len(found.records) <= limit
        seen += found.records
        after = found.next
        if not after:
            break
    assert sorted(record.id for record in seen) == sorted(record.id for record in records)
    assert [record.created_at for record in seen] == sorted(times, reverse=True)


def test_a_page_goes_on_after_a_key_that_is_gone() -> None:
    records = [made(number, 100 - number) for number in range(4)]
    first = page(records, KeyQuery(limit=2))
    assert page([records[3], records[2]], KeyQuery(after=first.next)).records == records[2:]


def test_of_one_tenant() -> None:
    records = [made(0, 1, "a"), made(1, 2, "b")]
    assert page(records, KeyQuery("a")).records == [records[0]]
    assert page(records, KeyQuery("A")).records == []


@pytest.mark.parametrize("after", ["x", "1-", "-1-" + "a" * 12, "1-" + "g" * 12, "9" * 99])
def test_a_wrong_place_is_said(after: str) -> None:
    with pytest.raises(BadRequest) as refused:
        page([], KeyQuery(after=after))
    assert refused.value.param == "after"
