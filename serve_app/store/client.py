"""The one way to Redis: every command limited in time, every failure a `StoreUnavailable`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import DataError, NoScriptError, ReadOnlyError, RedisError, ResponseError

from serve_app.config.structure import RedisSettings
from serve_app.core.clock import Clock
from serve_app.store.breaker import Breaker
from serve_app.store.errors import StoreUnavailable
from serve_app.store.limit import TimeLimit
from serve_app.store.scripts import Script, load_scripts

__all__ = ["Call", "Command", "Store", "StoreUnavailable"]

log = logging.getLogger(__name__)

T = TypeVar("T")
Argument = str | bytes | int
Command = tuple[Argument, ...]
Call = tuple[Sequence[str], Sequence[Argument]]
"""One call of a script: its keys, its arguments."""

_COMPLAIN_EVERY_S = 60.0
_WAIT_LIMITS = 4
"""How many command limits a command may wait for a free connection."""


class Store:
    """A Redis or Valkey behind a connection pool, a time limit and a breaker.

    Commands that were cancelled or timed out close their connection, so that no later command
    reads their reply. Nothing is retried here: whether a retry is safe is the caller's
    knowledge.

    Args:
        settings: limits; its `url` is not looked at.
        clock: for the breaker.
        url: `redis://`, `rediss://` or `unix://`.

    Every command raises `StoreUnavailable`.
    """

    def __init__(self, settings: RedisSettings, clock: Clock, url: str) -> None:
        self._timeout_s = settings.timeout_ms / 1000.0
        self._clock = clock
        self._breaker = Breaker(clock, settings.breaker_failures, settings.breaker_open_s)
        self._scripts = load_scripts()
        self._slots = asyncio.Semaphore(settings.pool)
        self._complained: dict[str, float] = {}
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
        """True while Redis counts as away and commands are refused at once."""
        return self._breaker.is_open

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
        return cast("int", await self._execute("DEL", *keys)) if keys else 0

    async def ping(self) -> float:
        """Seconds that a round trip takes."""
        began = self._clock.monotonic()
        await self._execute("PING")
        return self._clock.monotonic() - began

    async def pipeline(
        self, commands: Sequence[Command], *, transaction: bool = False
    ) -> list[Any]:
        """Send all commands in one round trip; their replies in order.

        Raises:
            StoreUnavailable: also if one command was refused; others may have taken effect.
        """
        return await self._guarded("pipeline", lambda: self._send(commands, transaction))

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
        replies = await self._guarded(what, lambda: self._run_script(script, calls))
        for i, reply in enumerate(replies):
            if isinstance(reply, ResponseError):
                replies[i] = await self._refused(what, reply)
        return replies

    async def close(self) -> None:
        await self._redis.aclose()
        await self._pool.disconnect()

    async def _execute(self, *command: Argument) -> Any:
        return await self._guarded(str(command[0]), lambda: self._send_one(command))

    async def _send_one(self, command: Command) -> Any:
        return await self._redis.execute_command(*command)  # type: ignore[no-untyped-call]

    async def _send(self, commands: Sequence[Command], transaction: bool) -> list[Any]:
        replies = await self._collect(commands, transaction)
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        return replies

    async def _collect(self, commands: Sequence[Command], transaction: bool) -> list[Any]:
        async with self._redis.pipeline(transaction=transaction) as pipe:
            for command in commands:
                pipe.execute_command(*command)
            # With raise_on_error the driver would put the values into the message.
            return await pipe.execute(raise_on_error=False)

    async def _run_script(self, script: Script, calls: Sequence[Call]) -> list[Any]:
        replies = await self._evaluate("EVALSHA", script.sha, calls)
        missing = [i for i, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        if missing:
            again = await self._evaluate("EVAL", script.source, [calls[i] for i in missing])
            for i, reply in zip(missing, again, strict=True):
                replies[i] = reply
        return replies

    async def _evaluate(self, verb: str, body: Argument, calls: Sequence[Call]) -> list[Any]:
        commands: list[Command] = [(verb, body, len(k), *k, *a) for k, a in calls]
        if len(commands) != 1:
            return await self._collect(commands, False)
        try:
            return [await self._send_one(commands[0])]
        except ResponseError as error:
            return [error]

    async def _guarded(self, what: str, command: Callable[[], Awaitable[T]]) -> T:
        await self._take_slot()
        try:
            return await self._judged(what, command)
        finally:
            self._slots.release()

    async def _take_slot(self) -> None:
        """Wait for a free connection. That there is none is our own load, not Redis away."""
        if not self._slots.locked():
            await self._slots.acquire()
            return
        try:
            async with TimeLimit(self._timeout_s * _WAIT_LIMITS):
                await self._slots.acquire()
        except TimeoutError as error:
            raise StoreUnavailable("no connection was free in time; see redis.pool") from error

    async def _judged(self, what: str, command: Callable[[], Awaitable[T]]) -> T:
        entered_at = self._breaker.enter()
        try:
            async with TimeLimit(self._timeout_s):
                reply = await command()
        except DataError:
            raise  # a value of the wrong type: the caller's mistake, not Redis's
        except TimeoutError as error:
            raise self._away(entered_at, f"no answer in {self._timeout_s:.3g} s") from error
        except ResponseError as error:
            self._breaker.succeeded()
            raise await self._refused(what, error) from error
        except (RedisError, OSError) as error:
            raise self._away(entered_at, f"{type(error).__name__}: {error}") from error
        self._breaker.succeeded()
        return reply

    def _away(self, entered_at: float, reason: str) -> StoreUnavailable:
        self._breaker.failed(entered_at, reason)
        return StoreUnavailable(reason)

    async def _refused(self, what: str, error: ResponseError) -> StoreUnavailable:
        """Redis answered with an error: full, read-only, or a mistake of ours."""
        if isinstance(error, ReadOnlyError):
            # After a failover the idle connections may still lead to the old primary.
            await self._pool.disconnect(inuse_connections=False)
        reason = f"{what} was refused: {error}"
        now = self._clock.monotonic()
        if now - self._complained.get(what, float("-inf")) >= _COMPLAIN_EVERY_S:
            self._complained[what] = now
            log.error("Redis: %s", reason)
        return StoreUnavailable(reason)
