"""Requests of one tenant as the ledger's script takes them, and what it says of each."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from serve_app.core.limits import Need, Scope, Used
from serve_app.store.client import Call, StoreUnavailable

Said = tuple[int, str, int]
"""The number of the scope that refuses, among those of the request (0: none does); by which limit;
microseconds to wait (-1: for ever)."""

_encode = msgspec.msgpack.Encoder().encode
_read_reply = msgspec.msgpack.Decoder(tuple[list[Said], list[list[int]]]).decode
_read_figures = msgspec.msgpack.Decoder(list[list[int]]).decode


class Sheet:
    """Keys and arguments of one call of `ledger.lua`, where each scope stands once."""

    def __init__(self) -> None:
        self._keys: list[str] = []
        self._limits: list[bytes] = []
        self._numbers: dict[str, int] = {}
        self._requests: list[tuple[str, int, int, int, list[int]]] = []
        self._said: list[Said] = []
        self._used: list[Used] = []
        self.failure: StoreUnavailable | None = None
        """Why nothing is said of any of them."""

    def takes(self, scopes: Sequence[Scope]) -> bool:
        """False if one of them stands here with other limits, as when the policy was changed
        between two requests."""
        known = self._numbers
        return all(
            scope.state not in known or self._limits[known[scope.state] - 1] == scope.packed
            for scope in scopes
        )

    def places(self, scopes: Sequence[Scope]) -> list[int]:
        """The numbers of scopes on the sheet, counted from 1; new ones are put down."""
        return [self._numbers.get(scope.state) or self._put(scope) for scope in scopes]

    def add(self, lease: str, need: Need, scopes: Sequence[Scope]) -> int:
        """Put a request down; its place, counted from 0."""
        numbers = self.places(scopes)
        self._requests.append((lease, need.input, need.output, need.cost_micro_usd, numbers))
        return len(self._requests) - 1

    def reserve(self, lease_ms: int) -> Call:
        return self._keys, ["reserve", lease_ms, _encode((self._raw(), self._requests))]

    def look(self) -> Call:
        return self._keys, ["look", _encode(self._raw())]

    def read(self, reply: bytes | StoreUnavailable) -> None:
        """What the script replied to `reserve`."""
        if isinstance(reply, StoreUnavailable):
            self.failure = reply
            return
        self._said, used = _read_reply(reply)
        self._used = [Used(*numbers) for numbers in used]

    def outcome(self, place: int) -> tuple[Said, tuple[Used, ...]]:
        """What is said of a request, and what its scopes have used after all of the sheet."""
        numbers = self._requests[place][4]
        return self._said[place], tuple([self._used[number - 1] for number in numbers])

    def _raw(self) -> list[msgspec.Raw]:
        return [msgspec.Raw(limits) for limits in self._limits]

    def _put(self, scope: Scope) -> int:
        self._keys += (scope.state, scope.holds)
        self._limits.append(scope.packed)
        number = self._numbers[scope.state] = len(self._limits)
        return number


def figures(reply: bytes) -> list[Used]:
    """What the script replied to `look`."""
    return [Used(*numbers) for numbers in _read_figures(reply)]
