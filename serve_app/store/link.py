"""What carries commands to Redis: one server (`Node`), or many (`Cluster`)."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any, Protocol

from serve_app.store.limit import TimeLimit

Argument = str | bytes | int
Command = tuple[Argument, ...]
"""The verb in capitals, then its arguments."""


class Server(Protocol):
    """One server by itself."""

    def one(self, command: Command, limit: TimeLimit) -> Awaitable[Any]:
        """See `Link.one`; nothing is followed anywhere."""


class Link(Protocol):
    """The way to Redis. Nothing is sent twice, unless a server said that it did nothing.

    Every command runs inside of its caller's `limit`; one that was cancelled closes its
    connection, so that no later command reads its reply. All methods raise `StoreUnavailable`,
    and `redis.exceptions.ResponseError` for what Redis refused.
    """

    @property
    def is_open(self) -> bool:
        """True while commands are refused at once because a server does not answer."""

    def one(self, command: Command, limit: TimeLimit) -> Awaitable[Any]:
        """The reply to a command."""

    def many(self, commands: Sequence[Command], limit: TimeLimit) -> Awaitable[list[Any]]:
        """The replies in the order of the commands, all sent at once.

        A `ResponseError` stands in the place of a refused one, a `StoreUnavailable` of one whose
        server is away while others are not.
        """

    def atomically(self, commands: Sequence[Command], limit: TimeLimit) -> Awaitable[list[Any]]:
        """Like `many`, as a transaction: all are done or none, and nothing in between.

        Raises:
            ValueError: no one server has all the keys.
        """

    def together(self, keys: Sequence[str]) -> Sequence[Sequence[str]]:
        """The keys in groups that one command may name."""

    async def servers(self, limit: TimeLimit) -> Sequence[Server]:
        """Those that have the keys between them."""

    async def leave_idle_connections(self) -> None:
        """Close them: they may lead to a server that has another part now."""

    async def close(self) -> None:
        """Close all connections."""
