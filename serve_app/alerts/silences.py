"""What nobody wants to hear of for a while: silences in Redis, for all replicas."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

import msgspec
import re2
from msgspec import Struct

from serve_app.alerts.promql.nodes import Matcher, compiled
from serve_app.alerts.state import Alert
from serve_app.core.clock import Clock
from serve_app.core.errors import BadRequest, NotFound
from serve_app.store import keys
from serve_app.store.client import Store

MAX_SILENCES: Final = 200
_KEPT_S: Final = 3600.0
"""How long one that is over is still shown."""


class SilenceMatcher(Struct, frozen=True, forbid_unknown_fields=True):
    """What a label has to be. Besides an alert's own there are `alert` (the rule's name) and
    `severity`."""

    label: str
    value: str
    op: Literal["=", "!=", "=~", "!~"] = "="


class Silence(Struct, frozen=True):
    id: str
    matchers: list[SilenceMatcher]
    until: float
    """Unix seconds."""
    author: str
    reason: str
    created_at: float


class Silences:
    """Those that hold, as last heard of Redis."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._key = keys.alerts("silences")
        self._known: dict[str, tuple[Silence, list[Matcher]]] = {}

    async def read(self) -> list[Silence]:
        """All that hold or held lately, the newest first.

        Raises:
            StoreUnavailable
        """
        [stored] = await self._store.pipeline([("HGETALL", self._key)])
        found = [msgspec.json.decode(value, type=Silence) for value in _values(stored)]
        now = self._clock.wall()
        old = [one.id for one in found if one.until < now - _KEPT_S]
        if old:
            await self._store.pipeline([("HDEL", self._key, *old)])
        kept = [one for one in found if one.id not in old]
        self._known = {one.id: self._known.get(one.id) or (one, _matchers(one)) for one in kept}
        return sorted(kept, key=lambda one: -one.created_at)

    def silences(self, alert: Alert) -> bool:
        """Whether nobody wants to hear of an alert now."""
        now = self._clock.wall()
        labels = tuple({**alert.labels, "alert": alert.rule, "severity": alert.severity}.items())
        return any(
            silence.until > now and all(matcher.fits(labels) for matcher in matchers)
            for silence, matchers in self._known.values()
        )

    async def add(
        self, matchers: list[SilenceMatcher], for_s: float, author: str, reason: str
    ) -> Silence:
        """
        Raises:
            BadRequest: a matcher cannot be used, or there are too many silences.
            StoreUnavailable
        """
        now = self._clock.wall()
        name = f"silence_{secrets.token_hex(8)}"
        silence = Silence(name, matchers, now + for_s, author, reason, now)
        _matchers(silence)
        if len(await self.read()) >= MAX_SILENCES:
            raise BadRequest(f"There are {MAX_SILENCES} silences; take some of them back first")
        await self._store.pipeline([("HSET", self._key, name, msgspec.json.encode(silence))])
        return silence

    async def take_back(self, silence_id: str) -> None:
        """
        Raises:
            NotFound: there is none of that id.
            StoreUnavailable
        """
        [gone] = await self._store.pipeline([("HDEL", self._key, silence_id)])
        if not gone:
            raise NotFound(f"There is no silence {silence_id[:64]!r}")
        self._known.pop(silence_id, None)


def _values(stored: Any) -> Iterable[bytes]:
    """RESP 3 has a mapping, RESP 2 names and values in turn."""
    return stored.values() if isinstance(stored, Mapping) else stored[1::2]


def _matchers(silence: Silence) -> list[Matcher]:
    return [_matcher(one) for one in silence.matchers]


def _matcher(one: SilenceMatcher) -> Matcher:
    if one.op in ("=", "!="):
        return Matcher(one.label, one.op, one.value)
    try:
        return Matcher(one.label, one.op, one.value, compiled(one.value))
    except re2.error:
        raise BadRequest(
            f"The value of {one.label[:64]!r} is no regular expression", param="matchers"
        ) from None
