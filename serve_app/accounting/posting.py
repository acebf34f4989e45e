"""A batch of the ledger as the script takes it: keys and arguments of `ledger.lua`, settle."""

from __future__ import annotations

import msgspec

from serve_app.accounting.bill import Bill
from serve_app.accounting.corrections import Correction, corrections
from serve_app.accounting.page import Batch
from serve_app.accounting.totals import Row, Sums, fields
from serve_app.store import keys
from serve_app.store.client import Argument, Call

_KEEP_DAYS_S = 400 * 86400
_MARK_S = 7 * 86400
"""Longer than a batch that was applied can wait to hear of it, and than work is tried again."""

_pack = msgspec.msgpack.Encoder().encode


def posted(owner: str, writer: str, batch: Batch) -> Call:
    """The call that adds a batch to the books of an owner."""
    page = batch.page
    hashes = _summed(owner, batch)
    scopes = corrections([*page.leases, *(bill.lease for bill in page.bills)])
    changes = [
        *(
            [part for name, sums in by_name.items() for part in fields(name, sums)]
            for by_name in hashes.values()
        ),
        *(correction.change() for correction in scopes),
    ]
    args: list[Argument] = ["settle", batch.number, _MARK_S, _KEEP_DAYS_S, len(hashes)]
    args.append(_pack(changes))
    scope_keys = [key for c in scopes for key in (c.scope.state, c.scope.holds)]
    used = [keys.ledger_writer(owner, writer), *hashes, *scope_keys]
    if page.bills:
        args.append(_pack(_charges(owner, page.bills, list(hashes), scopes, len(used))))
        used += [keys.ledger_once(b.lease.tenant, b.lease.once, owner) for b in page.bills]
    return used, args


def _summed(owner: str, batch: Batch) -> dict[str, dict[str, Sums]]:
    """By key of a hash, then by name: what is added there. For bills the script finds out."""
    hashes: dict[str, dict[str, Sums]] = {}
    for row, sums in batch.page.rows.items():
        for key, name in _places(owner, row):
            hashes.setdefault(key, {}).setdefault(name, Sums()).merge(sums)
    for bill in batch.page.bills:
        for row in bill.rows:
            for key, _ in _places(owner, row):
                hashes.setdefault(key, {})
    return hashes


def _places(owner: str, row: Row) -> list[tuple[str, str]]:
    """The hashes that a row is summed up in, and its name in each."""
    tenant, day, user, model, key = row
    kinds = (("total", ""), ("user", user), ("model", model), ("key", key))
    return [
        (keys.ledger_day(tenant, day, kind, owner), name)
        for kind, name in kinds
        if name or kind != "key"
    ]


def _charges(
    owner: str, bills: list[Bill], hashes: list[str], scopes: list[Correction], used: int
) -> list[object]:
    """Bills as the script takes them.

    Args:
        used: how many keys there are before those of their names.
    """
    numbers = {key: number for number, key in enumerate(hashes, start=1)}
    first = len(hashes) + 1
    changes = {c.scope.state: number for number, c in enumerate(scopes, start=first)}

    def place(row: Row) -> list[int | str]:
        return [part for key, name in _places(owner, row) for part in (numbers[key], name)]

    return [
        bill.packed(used + number, place, changes) for number, bill in enumerate(bills, start=1)
    ]
