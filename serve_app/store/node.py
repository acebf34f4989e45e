"""One Redis or Valkey server: a pool of connections and a breaker."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.client import Pipeline
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import DataError, RedisError, ResponseError

from serve_app.config.structure import RedisSettings
from serve_app.core.clock import Clock
from serve_app.store.breaker import Breaker
from serve_app.store.errors import StoreUnavailable
from serve_app.store.limit import TimeLimit
from serve_app.store.link import Command

T = TypeVar("T")


class Node:
    """A server by its address; as a `Link` it is all there is.

    Args:
        settings: limits; its `url` is not looked at.
        clock: for the breaker.
        url: `redis://`, `rediss://` or `unix://`.
        name: for the log.
        host: the host of `url`, where that matters.
    """

    def __init__(
        self, settings: RedisSettings, clock: Clock, url: str, name: str = "Redis", host: str = ""
    ) -> None:
        self.host = host
        self.breaker = Breaker(clock, settings.breaker_failures, settings.breaker_open_s, name)
        # Time limits are ours (TimeLimit), hence none of the driver's. RESP2 and no
        # driver_info save two round trips when a connection is made.
        self._pool = BlockingConnectionPool.from_url(
            url,
            max_connections=settings.pool,
            timeout=None,
            socket_timeout=None,
            socket_connect_timeout=None,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            driver_info=None,
        )
        self._redis: Redis = Redis(connection_pool=self._pool)

    @property
    def is_open(self) -> bool:
        return self.breaker.is_open

    @property
    def is_busy(self) -> bool:
        """A command is under way."""
        _, (in_use, _) = self._pool.get_connection_count()
        return in_use > 0

    def one(self, command: Command, limit: TimeLimit) -> Awaitable[Any]:
        return self._judged(limit, self._redis.execute_command, *command)

    async def many(self, commands: Sequence[Command], limit: TimeLimit) -> list[Any]:
        if len(commands) != 1:
            return await self._judged(limit, self._collect, commands)
        try:
            return [await self._judged(limit, self._redis.execute_command, *commands[0])]
        except ResponseError as error:
            return [error.with_traceback(None)]

    def atomically(
        self, commands: Sequence[Command], limit: TimeLimit, *, is_asking: bool = False
    ) -> Awaitable[list[Any]]:
        """See `Link.atomically`; `is_asking` for a slot that is on its way to this server."""
        return self._judged(limit, self._transact, commands, is_asking)

    def together(self, keys: Sequence[str]) -> Sequence[Sequence[str]]:
        return [keys]

    async def servers(self, limit: TimeLimit) -> Sequence[Node]:
        return [self]

    async def leave_idle_connections(self) -> None:
        await self._pool.disconnect(inuse_connections=False)

    async def close(self) -> None:
        await self._redis.aclose()
        await self._pool.disconnect()

    async def _judged(self, limit: TimeLimit, run: Callable[..., Awaitable[T]], *args: Any) -> T:
        """Do it if the breaker permits; tell the breaker what came of it."""
        entered_at = self.breaker.enter()
        try:
            reply = await run(*args)
        except DataError:
            raise  # a value of the wrong type: the caller's mistake, not Redis's
        except ResponseError:
            self.breaker.succeeded()
            raise
        except (RedisError, OSError) as error:
            reason = f"{type(error).__name__}: {error}"
            self.breaker.failed(entered_at, reason)
            raise StoreUnavailable(reason) from error
        except asyncio.CancelledError:
            if limit.has_passed:
                self.breaker.failed(entered_at, limit.reason)
            raise
        self.breaker.succeeded()
        return reply

    async def _collect(self, commands: Sequence[Command]) -> list[Any]:
        async with self._redis.pipeline(transaction=False) as pipe:
            return await _sent(pipe, commands)

    async def _transact(self, commands: Sequence[Command], is_asking: bool) -> list[Any]:
        callbacks = self._redis.response_callbacks
        async with _Transaction(self._pool, callbacks, transaction=True, shard_hint=None) as pipe:
            if is_asking:  # holds until EXEC
                await pipe.immediate_execute_command("ASKING")  # type: ignore[no-untyped-call]
            return await _sent(pipe, commands)


class _Transaction(Pipeline):
    def annotate_exception(
        self, exception: Exception, number: int, command: Iterable[object]
    ) -> None:
        """The driver would put the values into the message."""


def _sent(pipe: Pipeline, commands: Sequence[Command]) -> Awaitable[list[Any]]:
    for command in commands:
        pipe.execute_command(*command)
    # With raise_on_error the driver would put the values into the message.
    return pipe.execute(raise_on_error=False)
