"""Redis Cluster or Valkey cluster: every command goes to the server that has its slot."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import count
from typing import Any, Final

from redis.exceptions import AskError, ClusterDownError, MovedError, TryAgainError

from serve_app.config.structure import RedisSettings
from serve_app.core.clock import Clock
from serve_app.store.address import ClusterAddress, Endpoint, name_of
from serve_app.store.errors import StoreUnavailable
from serve_app.store.limit import TimeLimit
from serve_app.store.link import Command
from serve_app.store.node import Node
from serve_app.store.slots import slot_of, slot_of_key
from serve_app.store.topology import Topology

_HOPS: Final = 5
"""How often one command is sent on. Two happen (ASK, then the slot has moved); more is a quarrel
between servers."""
_PAUSE_S: Final = 0.001
"""Before a command is tried again some of whose keys are here and some there; then twice as long,
and so on."""

_ASKING: Final[Command] = ("ASKING",)
_NOT_HERE: Final = (AskError, TryAgainError, ClusterDownError)
"""The server did nothing. A MovedError is an AskError too."""


class _Errand:
    """A command on its way."""

    __slots__ = ("command", "hops", "is_asking", "node", "reply", "slot")

    def __init__(self, command: Command, slot: int | None, node: Node) -> None:
        self.command = command
        self.slot = slot
        self.node = node
        self.hops = 0
        self.is_asking = False
        """The slot is only on its way to the node."""
        self.reply: Any = None


class Cluster:
    """A `Link` to many servers, each with connections and a breaker of its own.

    While one server is away, keys on the others are served. What the driver's cluster client does
    more is not wanted: it sends commands again after a lost connection, and refuses instead of
    waiting where its connections are all in use.
    """

    def __init__(self, settings: RedisSettings, clock: Clock, address: ClusterAddress) -> None:
        def make(endpoint: Endpoint) -> Node:
            name = f"Redis {name_of(endpoint)}"
            return Node(settings, clock, address.url_of(endpoint), name, endpoint[0])

        self._map = Topology(address.seeds, make, clock)

    @property
    def is_open(self) -> bool:
        return any(node.is_open for node in self._map.primaries)

    async def one(self, command: Command, limit: TimeLimit) -> Any:
        await self._look(limit)
        errand = self._errand(command)
        try:
            return await errand.node.one(command, limit)
        except _NOT_HERE as error:
            errand.reply = error.with_traceback(None)
        await self._follow([errand], limit)
        if isinstance(errand.reply, Exception):
            raise errand.reply
        return errand.reply

    async def many(self, commands: Sequence[Command], limit: TimeLimit) -> list[Any]:
        """See `Link.many`. The order holds for each slot (unless it moves in that moment)."""
        await self._look(limit)
        errands = [self._errand(command) for command in commands]
        await self._ask(errands, limit)
        await self._follow(errands, limit)
        replies = [errand.reply for errand in errands]
        if replies and all(isinstance(reply, StoreUnavailable) for reply in replies):
            raise replies[0]  # as where there is one server only
        return replies

    async def atomically(self, commands: Sequence[Command], limit: TimeLimit) -> list[Any]:
        slots = {slot_of(command): command for command in commands}
        slots.pop(None, None)
        if len(slots) > 1:
            raise ValueError(f"a transaction has keys of {len(slots)} slots: use one hash tag")
        command = next(iter(slots.values()), commands[0])
        await self._look(limit)
        errand = self._errand(command)
        for turn in count():
            try:
                return await errand.node.atomically(commands, limit, is_asking=errand.is_asking)
            except _NOT_HERE as error:
                errand.reply = error.with_traceback(None)
            if not await self._redirected([errand], turn, limit):
                break
        raise errand.reply

    def together(self, keys: Sequence[str]) -> Sequence[Sequence[str]]:
        groups: dict[int, list[str]] = {}
        for key in keys:
            groups.setdefault(slot_of_key(key), []).append(key)
        return list(groups.values())

    async def servers(self, limit: TimeLimit) -> Sequence[Node]:
        await self._map.refresh(limit)
        return list(self._map.primaries)

    async def leave_idle_connections(self) -> None:
        for node in self._map.primaries:
            await node.leave_idle_connections()

    async def close(self) -> None:
        await self._map.close()

    async def _look(self, limit: TimeLimit) -> None:
        if self._map.is_doubted:
            await self._map.look(limit)

    def _errand(self, command: Command) -> _Errand:
        slot = slot_of(command)
        node = self._map.whoever() if slot is None else self._map.owner(slot)
        if node is None:
            self._map.doubt()
            raise StoreUnavailable(f"no server of the cluster has slot {slot}")
        return _Errand(command, slot, node)

    async def _ask(self, errands: Sequence[_Errand], limit: TimeLimit) -> None:
        """Send every errand where it goes, and take the replies."""
        by_node: dict[Node, list[_Errand]] = {}
        for errand in errands:
            by_node.setdefault(errand.node, []).append(errand)
        if len(by_node) == 1:
            await _ask_node(errands[0].node, errands, limit)
            return
        try:
            async with asyncio.TaskGroup() as tasks:
                for node, some in by_node.items():
                    tasks.create_task(_ask_node(node, some, limit))
        except ExceptionGroup as several:  # each of them is a mistake of the caller
            raise several.exceptions[0] from None

    async def _follow(self, errands: Sequence[_Errand], limit: TimeLimit) -> None:
        """Send those on that came to the wrong server."""
        for turn in count():
            lost = [errand for errand in errands if isinstance(errand.reply, _NOT_HERE)]
            lost = await self._redirected(lost, turn, limit) if lost else lost
            if not lost:
                return
            await self._ask(lost, limit)

    async def _redirected(
        self, errands: Sequence[_Errand], turn: int, limit: TimeLimit
    ) -> list[_Errand]:
        """Those of which it is known where they should go now."""
        if any(isinstance(errand.reply, TryAgainError) for errand in errands):
            pause_s = _PAUSE_S * 2**turn
            if pause_s > limit.left_s:
                return []
            await asyncio.sleep(pause_s)
        if any(isinstance(errand.reply, MovedError | ClusterDownError) for errand in errands):
            self._map.doubt()
            await self._look(limit)
        return [errand for errand in errands if self._redirect(errand)]

    def _redirect(self, errand: _Errand) -> bool:
        error, slot = errand.reply, errand.slot
        errand.hops = 0 if isinstance(error, TryAgainError) else errand.hops + 1
        if slot is None or errand.hops > _HOPS:
            return False
        if isinstance(error, AskError):
            # Without a host it is the one that was asked, at another port.
            host = errand.node.host if error.host in ("", "?") else error.host
            errand.node = self._map.node((host, error.port))
            errand.is_asking = not isinstance(error, MovedError)
            if not errand.is_asking:
                self._map.moved(slot, errand.node)
            return True
        owner = self._map.owner(slot)
        if owner is None or (owner is errand.node and isinstance(error, ClusterDownError)):
            return False
        errand.node, errand.is_asking = owner, False
        return True


async def _ask_node(node: Node, errands: Sequence[_Errand], limit: TimeLimit) -> None:
    wire: list[Command] = []
    for errand in errands:
        wire += (_ASKING, errand.command) if errand.is_asking else (errand.command,)
    try:
        replies = iter(await node.many(wire, limit))
    except StoreUnavailable as error:
        for errand in errands:
            errand.reply = StoreUnavailable(error.reason)
        return
    for errand in errands:
        if errand.is_asking:
            next(replies)
        errand.reply = next(replies)
