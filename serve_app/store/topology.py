"""Which server of a cluster has which slot, as far as this process knows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

from redis.exceptions import ResponseError

from serve_app.core.clock import Clock
from serve_app.store.address import Endpoint
from serve_app.store.errors import StoreUnavailable
from serve_app.store.limit import TimeLimit
from serve_app.store.node import Node
from serve_app.store.slots import SLOTS

LOOK_EVERY_S: Final = 0.25
"""The map is asked for only when in doubt, and not more often. A look costs 0.5 ms (3 servers)."""

_UNKNOWN_HOSTS: Final = (None, b"", b"?")


class Topology:
    """The map from slots to servers, and the servers.

    No task keeps the map up to date: where a command finds it wrong, or a server away, one of the
    commands that come after looks again.

    Args:
        seeds: some servers of the cluster; they are kept for the case that all others are gone.
        make: a `Node` for an address.
    """

    def __init__(
        self, seeds: Sequence[Endpoint], make: Callable[[Endpoint], Node], clock: Clock
    ) -> None:
        self._seeds = seeds
        self._make = make
        self._clock = clock
        self._nodes: dict[Endpoint, Node] = {}
        self._owners: list[Node | None] = []
        self._absent: set[Endpoint] = set()
        """Not in the map when it was last read."""
        self._closing: list[Node] = []
        self._looking = asyncio.Lock()
        self._next_look_at = float("-inf")
        self._turn = 0
        self._is_wrong = True
        self.primaries: list[Node] = []
        """Every server that has a slot."""

    @property
    def is_doubted(self) -> bool:
        """The map was found wrong, or a server of it away: its slots may be elsewhere by now."""
        return self._is_wrong or any(node.breaker.failures for node in self.primaries)

    def owner(self, slot: int) -> Node | None:
        """Who has a slot; None: nobody. There must have been a `look`."""
        return self._owners[slot]

    def whoever(self) -> Node:
        """A server that answers, if there is one."""
        return min(self.primaries, key=lambda node: node.breaker.failures)

    def node(self, endpoint: Endpoint) -> Node:
        """The server at an address, known or not."""
        found = self._nodes.get(endpoint)
        if found is None:
            found = self._nodes[endpoint] = self._make(endpoint)
        return found

    def moved(self, slot: int, node: Node) -> None:
        """A server said who has a slot."""
        self._owners[slot] = node
        if node not in self.primaries:
            self.primaries.append(node)

    def doubt(self) -> None:
        """The map is wrong."""
        self._is_wrong = True

    async def look(self, limit: TimeLimit) -> None:
        """Ask for the map if there is none, or if it is in doubt and was not just asked for.

        Raises:
            StoreUnavailable: there is no map, and nobody gives one.
            ResponseError: the same, because they refuse to.
        """
        if not self._owners:
            async with self._looking:
                if not self._owners:
                    await self._read(limit)
        elif self.is_doubted and self._clock.monotonic() >= self._next_look_at:
            self._next_look_at = self._clock.monotonic() + LOOK_EVERY_S
            with suppress(StoreUnavailable, ResponseError):  # the old map is better than none
                await self._read(limit)

    async def refresh(self, limit: TimeLimit) -> None:
        """Ask for the map in any case; raises what `look` raises."""
        async with self._looking:
            await self._read(limit)

    async def close(self) -> None:
        await self._drop(list(self._nodes))

    async def _read(self, limit: TimeLimit) -> None:
        failure: Exception = StoreUnavailable("no server of the cluster knows who has which slot")
        for endpoint in self._candidates():
            try:
                ranges = await self.node(endpoint).one(("CLUSTER", "SLOTS"), limit)
            except (StoreUnavailable, ResponseError) as error:
                failure = error.with_traceback(None)
                continue
            if ranges:
                await self._take(ranges, endpoint[0])
                return
        raise failure

    def _candidates(self) -> list[Endpoint]:
        """Whom to ask for the map, one after the other: those first that answered last time."""
        known = list(dict.fromkeys([*self._nodes, *self._seeds]))
        self._turn = (self._turn + 1) % len(known)
        known = known[self._turn :] + known[: self._turn]
        return sorted(known, key=lambda endpoint: self.node(endpoint).breaker.failures)

    async def _take(self, ranges: Sequence[Any], asked_host: str) -> None:
        owners: list[Node | None] = [None] * SLOTS
        listed = set(self._seeds)
        for begin, end, endpoint in _parsed(ranges, asked_host):
            owners[begin : end + 1] = [self.node(endpoint)] * (end + 1 - begin)
            listed.add(endpoint)
        self._owners = owners
        self.primaries = [node for node in dict.fromkeys(owners) if node is not None]
        self._is_wrong = False
        absent = self._nodes.keys() - listed
        # Only the second time: it may be where a slot is just going to.
        gone = [one for one in absent & self._absent if not self._nodes[one].is_busy]
        self._absent = absent
        await self._drop(gone)

    async def _drop(self, endpoints: Sequence[Endpoint]) -> None:
        self._closing += map(self._nodes.pop, endpoints)
        for node in list(self._closing):
            await node.close()
            with suppress(ValueError):  # another look closed it, too
                self._closing.remove(node)


def _parsed(ranges: Sequence[Any], asked_host: str) -> Iterator[tuple[int, int, Endpoint]]:
    """First slot, last slot and primary of each range in a reply to CLUSTER SLOTS.

    A server that does not know under which name it is reached says nothing, and means the one
    under which it was asked; one that was told to give names and has none says `?`.
    """
    for begin, end, (host, port, *more), *_ in ranges:
        facts = more[1] if host == b"?" and len(more) > 1 else []
        known = dict(zip(facts[::2], facts[1::2], strict=True)).get(b"ip", host)
        yield begin, end, (asked_host if known in _UNKNOWN_HOSTS else known.decode(), int(port))
