"""A page of API keys: newest first, in an order that new keys and changes do not disturb."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable
from typing import Final

from serve_app.core.errors import BadRequest
from serve_app.core.key_record import KeyPage, KeyQuery, KeyRecord

_Place = tuple[int, str]
_AFTER: Final = re.compile(r"([0-9]{1,15})-([0-9a-f]{12})")


def page(records: Iterable[KeyRecord], query: KeyQuery) -> KeyPage:
    """
    Raises:
        BadRequest: `after` is not the `next` of a page.
    """
    after = _named(query.after) if query.after else None
    chosen = (
        record
        for record in records
        if (not query.tenant or record.tenant == query.tenant)
        and (after is None or _place(record) > after)
    )
    found = heapq.nsmallest(query.limit + 1, chosen, key=_place)
    if len(found) <= query.limit:
        return KeyPage(found)
    last = found[query.limit - 1]
    return KeyPage(found[: query.limit], f"{last.created_at}-{last.id}")


def _place(record: KeyRecord) -> _Place:
    return -record.created_at, record.id


def _named(after: str) -> _Place:
    parts = _AFTER.fullmatch(after)
    if parts is None:
        raise BadRequest("after is the 'next' of the page before", param="after")
    return -int(parts[1]), parts[2]
