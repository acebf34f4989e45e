"""What the rate limits of a provider still allow, by key and model, as its answers told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from serve_app.backends.headroom import read_headroom
from serve_app.backends.key import Key
from serve_app.core.clock import Clock
from serve_app.core.vital import Headroom
from serve_app.vitals.summary import aged


class _Told(NamedTuple):
    headroom: Headroom
    at: float


class Limits:
    """Remembers the last headers of every key at every model."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._told: dict[tuple[str, str], _Told] = {}

    def note(self, key: Key | None, model: str, headers: Mapping[str, str]) -> None:
        headroom = read_headroom(headers, self._clock.wall())
        if headroom is not None:
            self._told[_place(key), model] = _Told(headroom, self._clock.monotonic())

    def of(self, model: str, keys: Sequence[Key | None]) -> Headroom | None:
        """What the best of these keys has left, because the next call goes out with one of
        them: limits are often an account's, so that adding them up would promise too much.

        None: one of them has all, as far as known. A key that was refused for its rate has no
        requests left until it opens.
        """
        now = self._clock.monotonic()
        left = [self._left(key, model, now) for key in keys]
        known = [headroom for headroom in left if headroom is not None]
        return max(known, key=_generosity) if known and len(known) == len(left) else None

    def _left(self, key: Key | None, model: str, now: float) -> Headroom | None:
        if key is not None and (closed_s := key.opens_at(model) - now) > 0:
            return Headroom(requests_left=0, resets_in_s=closed_s)
        told = self._told.get((_place(key), model))
        return None if told is None else aged(told.headroom, now - told.at)


def _place(key: Key | None) -> str:
    return "" if key is None else key.where


def _generosity(headroom: Headroom) -> tuple[float, float, float]:
    requests, tokens = headroom.requests_left, headroom.tokens_left
    return (
        float("inf") if requests is None else requests,
        float("inf") if tokens is None else tokens,
        -headroom.resets_in_s,
    )
