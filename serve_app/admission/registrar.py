"""What admins do with API keys: make, show, change, replace, disable, forget."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

from msgspec import UNSET

from serve_app.admission.directory import KeyDirectory, KeysFull, Step
from serve_app.admission.listing import page
from serve_app.admission.own_limits import checked
from serve_app.admission.records import changed, following, of_terms, retiring, successor
from serve_app.core import api_key
from serve_app.core.errors import BadRequest, NotFound, Overloaded
from serve_app.core.key_record import KeyChange, KeyPage, KeyQuery, KeyRecord, KeyTerms, NewKey
from serve_app.store.client import StoreUnavailable

_TRIES: Final = 5
"""Somebody else may change the same key at the same time, but not for ever."""


class Registrar:
    """Changes keys for all replicas, and sees what all have changed.

    Each method raises `Overloaded` where Redis is away; then it is not known whether anything
    changed.
    """

    def __init__(self, directory: KeyDirectory) -> None:
        self._directory = directory

    async def create(self, terms: KeyTerms) -> NewKey:
        """A new key. What is returned is the only trace of it.

        Raises:
            BadRequest: limits or expiry make no sense.
        """
        checked(terms.limits)
        await self._catch_up()
        self._check_expiry(terms.expires_at)
        key = api_key.make()
        record = of_terms(terms, key, self._directory.now())
        if not await self._put((None, record)):
            raise Overloaded("The key could not be stored; try again", retry_after_s=1.0)
        return NewKey(key, record)

    async def get(self, key_id: str) -> KeyRecord:
        """
        Raises:
            NotFound: there is none of this id.
        """
        await self._catch_up()
        return self._known(key_id)

    async def list(self, query: KeyQuery) -> KeyPage:
        """Keys, newest first.

        Raises:
            BadRequest: `after` is not the `next` of a page.
        """
        await self._catch_up()
        # Sorting so many records as there may be takes long enough to be felt on the loop.
        return await asyncio.to_thread(page, self._directory.records(), query)

    async def change(self, key_id: str, change: KeyChange) -> KeyRecord:
        """
        Raises:
            NotFound, BadRequest.
        """
        if change.limits is not UNSET:
            checked(change.limits)
        if change.expires_at is not UNSET:
            await self._catch_up()
            self._check_expiry(change.expires_at)
        return await self._edit(key_id, partial(changed, change=change))

    async def disable(self, key_id: str) -> KeyRecord:
        """
        Raises:
            NotFound.
        """
        return await self._edit(key_id, partial(following, disabled=True))

    async def enable(self, key_id: str) -> KeyRecord:
        """
        Raises:
            NotFound.
        """
        return await self._edit(key_id, partial(following, disabled=False))

    async def rotate(self, key_id: str, grace_s: int = 0) -> NewKey:
        """A new key with the same terms; the old one ends after `grace_s`.

        A key that was replaced before can be again: its new key may have been lost on the way.

        Raises:
            NotFound: there is none of this id.
            BadRequest: it is disabled, or has expired.
        """
        key = api_key.make()

        def plan(old: KeyRecord) -> tuple[Step, ...]:
            now = self._directory.now()
            _check_rotatable(old, now)
            new = successor(old, key, now)
            return (None, new), (old, retiring(old, new, now + grace_s))

        [(_, new), _] = await self._transact(key_id, plan)
        assert new is not None
        return NewKey(key, new)

    async def forget(self, key_id: str) -> KeyRecord:
        """Remove a key; what is returned was the last known of it.

        Raises:
            NotFound.
        """
        [(record, _)] = await self._transact(key_id, lambda record: ((record, None),))
        assert record is not None
        return record

    async def _edit(self, key_id: str, edit: Callable[[KeyRecord], KeyRecord]) -> KeyRecord:
        [(_, new)] = await self._transact(key_id, lambda old: ((old, edit(old)),))
        assert new is not None
        return new

    async def _transact(
        self, key_id: str, plan: Callable[[KeyRecord], tuple[Step, ...]]
    ) -> tuple[Step, ...]:
        """Carry out what is planned for a key as it is now."""
        for _ in range(_TRIES):
            await self._catch_up()
            steps = plan(self._known(key_id))
            if await self._put(*steps):
                return steps
        raise Overloaded(
            f"API key {key_id[:40]!r} is being changed by others; try again", retry_after_s=1.0
        )

    async def _catch_up(self) -> None:
        try:
            await self._directory.catch_up()
        except StoreUnavailable as error:
            raise _away(error) from None

    async def _put(self, *steps: Step) -> bool:
        try:
            return await self._directory.put(steps)
        except StoreUnavailable as error:
            raise _away(error) from None
        except KeysFull as error:
            raise BadRequest(f"{error}; delete some first", code="too_many_keys") from None

    def _known(self, key_id: str) -> KeyRecord:
        record = self._directory.get(key_id)
        if record is None:
            raise NotFound(f"There is no API key {key_id[:40]!r}", code="key_not_found")
        return record

    def _check_expiry(self, expires_at: int) -> None:
        if expires_at and expires_at <= self._directory.now():
            raise BadRequest(f"expires_at ({expires_at}) lies in the past", param="expires_at")


def _check_rotatable(record: KeyRecord, now: float) -> None:
    if record.disabled:
        raise BadRequest("A disabled key is not replaced; enable it first, or make a new one")
    if record.expires_at and now >= record.expires_at:
        raise BadRequest("The key has expired; set its expires_at first, or make a new one")


def _away(error: StoreUnavailable) -> Overloaded:
    return Overloaded(
        f"Redis is away ({error.reason}): it is not known whether anything changed; look, then "
        "try again",
        code="keys_unavailable",
        retry_after_s=1.0,
    )
