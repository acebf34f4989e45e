"""The one way to Redis: every command limited in time, every failure a `StoreUnavailable`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Any, TypeVar, cast

from redis.exceptions import NoScriptError, ReadOnlyError, ResponseError

from serve_app.config.structure import RedisSettings
from serve_app.core.clock import Clock
from serve_app.store import address
from serve_app.store.cluster import Cluster
from serve_app.store.errors import StoreUnavailable
from serve_app.store.limit import TimeLimit
from serve_app.store.link import Argument, Command, Link, Server
from serve_app.store.node import Node
from serve_app.store.scripts import Script, load_scripts

__all__ = ["Argument", "Call", "Command", "Store", "StoreUnavailable"]

log = logging.getLogger(__name__)

T = TypeVar("T")
Call = tuple[Sequence[str], Sequence[Argument]]
"""One call of a script: its keys, its arguments."""

_COMPLAIN_EVERY_S = 60.0
_WAIT_LIMITS = 4
"""How many command limits a command may wait for a free connection."""


class Store:
    """A Redis or Valkey, or a cluster of them, behind connection pools, time limits and breakers.

    Commands that were cancelled or timed out close their connection, so that no later command
    reads their reply. Nothing is retried here: whether a retry is safe is the caller's
    knowledge. In a cluster commands follow their slot; while a server is away, only the keys that
    it has are.

    Args:
        settings: limits; its `url` is not looked at.
        clock: for the breakers.
        url: `redis://`, `rediss://` or `unix://`; `redis+cluster://` or `rediss+cluster://`, see
            `store/address.py`.

    Raises:
        ValueError: the url is none of these.

    Every command raises `StoreUnavailable`.
    """

    def __init__(self, settings: RedisSettings, clock: Clock, url: str) -> None:
        self._timeout_s = settings.timeout_ms / 1000.0
        self._clock = clock
        self._scripts = load_scripts()
        self._free = asyncio.Semaphore(settings.pool)
        self._complained: dict[str, float] = {}
        self._link: Link = (
            Cluster(settings, clock, address.parse(url))
            if address.is_cluster(url)
            else Node(settings, clock, url)
        )

    @property
    def is_open(self) -> bool:
        """True while Redis (or a server of the cluster) counts as away and commands to it are
        refused at once."""
        return self._link.is_open

    async def get(self, key: str) -> bytes | None:
        return cast("bytes | None", await self._execute("GET", key))

    async def set(self, key: str, value: bytes, ttl_s: float | None = None) -> None:
        """Store a value; `ttl_s` None keeps it for ever."""
        if ttl_s is None:
            await self._execute("SET", key, value)
        else:
            await self._execute("SET", key, value, "PX", max(1, round(ttl_s * 1000)))

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """Values in the order of the keys, which must share a hash tag."""
        if not keys:
            return []
        return cast("list[bytes | None]", await self._execute("MGET", *keys))

    async def delete(self, *keys: str) -> int:
        """How many of the keys there were."""
        groups = self._link.together(keys)
        if len(groups) > 1:
            return sum(await self.pipeline([("DEL", *group) for group in groups]))
        return cast("int", await self._execute("DEL", *keys)) if keys else 0

    async def ping(self) -> float:
        """Seconds that a round trip takes; in a cluster: to the slowest server."""
        return max([await self._ping(server) for server in await self._servers()])

    async def scan(self, pattern: str, count: int) -> AsyncGenerator[list[bytes], None]:
        """Names of keys in portions of about `count`, walking through all keys there are.

        Each key that is there all the time is named at least once; in a cluster that does not
        hold for the keys of a slot that moves meanwhile.
        """
        for server in await self._servers():
            cursor = 0
            while True:
                step = ("SCAN", cursor, "MATCH", pattern, "COUNT", count)
                cursor, names = await self._at(server, step)
                if names:
                    yield names
                if not cursor:
                    break

    async def pipeline(
        self, commands: Sequence[Command], *, transaction: bool = False
    ) -> list[Any]:
        """Send all commands in one round trip; their replies in order.

        In a cluster that is one round trip to each server that has keys of them, at once. A
        transaction has keys of one slot. A command without keys goes to any one server.

        Raises:
            StoreUnavailable: also if one command was refused; others may have taken effect.
            ValueError: a transaction has keys of several slots of a cluster.
        """
        if not commands:
            return []
        send = self._link.atomically if transaction else self._link.many
        replies = await self._guarded("pipeline", lambda limit: send(commands, limit))
        for reply in replies:
            if isinstance(reply, ResponseError):
                raise await self._refused("pipeline", reply)
            if isinstance(reply, Exception):
                raise reply
        return replies

    async def script(self, name: str, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        """Run `lua/NAME.lua`, which is atomic; its reply as the driver gives it."""
        [reply] = await self.scripts(name, [(keys, args)])
        if isinstance(reply, StoreUnavailable):
            raise reply
        return reply

    async def scripts(self, name: str, calls: Sequence[Call]) -> list[Any]:
        """Run one script several times in one round trip; each call is atomic by itself.

        In the place of a call that was refused there is a `StoreUnavailable`.
        """
        script = self._scripts[name]
        what = f"script {name}"
        replies = await self._guarded(what, lambda limit: self._run_script(script, calls, limit))
        for i, reply in enumerate(replies):
            if isinstance(reply, ResponseError):
                replies[i] = await self._refused(what, reply)
        return replies

    async def close(self) -> None:
        await self._link.close()

    async def _execute(self, *command: Argument) -> Any:
        return await self._at(self._link, command)

    def _at(self, server: Server, command: Command) -> Awaitable[Any]:
        return self._guarded(str(command[0]), lambda limit: server.one(command, limit))

    async def _servers(self) -> Sequence[Server]:
        return await self._guarded("CLUSTER", self._link.servers)

    async def _ping(self, server: Server) -> float:
        began = self._clock.monotonic()
        await self._at(server, ("PING",))
        return self._clock.monotonic() - began

    async def _run_script(
        self, script: Script, calls: Sequence[Call], limit: TimeLimit
    ) -> list[Any]:
        replies = await self._evaluate("EVALSHA", script.sha, calls, limit)
        missing = [i for i, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        if missing:
            again = [calls[i] for i in missing]
            done = await self._evaluate("EVAL", script.source, again, limit)
            for i, reply in zip(missing, done, strict=True):
                replies[i] = reply
        return replies

    def _evaluate(
        self, verb: str, body: Argument, calls: Sequence[Call], limit: TimeLimit
    ) -> Awaitable[list[Any]]:
        return self._link.many([(verb, body, len(k), *k, *a) for k, a in calls], limit)

    async def _guarded(self, what: str, command: Callable[[TimeLimit], Awaitable[T]]) -> T:
        await self._take_turn()
        try:
            async with TimeLimit(self._timeout_s) as limit:
                return await command(limit)
        except TimeoutError as error:
            raise StoreUnavailable(limit.reason) from error
        except ResponseError as error:
            raise await self._refused(what, error) from error
        finally:
            self._free.release()

    async def _take_turn(self) -> None:
        """Wait for a free connection. That there is none is our own load, not Redis away."""
        if not self._free.locked():
            await self._free.acquire()
            return
        try:
            async with TimeLimit(self._timeout_s * _WAIT_LIMITS):
                await self._free.acquire()
        except TimeoutError as error:
            raise StoreUnavailable("no connection was free in time; see redis.pool") from error

    async def _refused(self, what: str, error: ResponseError) -> StoreUnavailable:
        """Redis answered with an error: full, read-only, or a mistake of ours."""
        if isinstance(error, ReadOnlyError):
            # After a failover the idle connections may still lead to the old primary.
            await self._link.leave_idle_connections()
        reason = f"{what} was refused: {error}"
        now = self._clock.monotonic()
        if now - self._complained.get(what, float("-inf")) >= _COMPLAIN_EVERY_S:
            self._complained[what] = now
            log.error("Redis: %s", reason)
        return StoreUnavailable(reason)
