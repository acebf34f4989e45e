"""Asks once, before anything is started, whether a Redis answers."""

from __future__ import annotations

from urllib.parse import urlsplit

from redis import Redis
from redis.exceptions import RedisError


class NoAnswer(Exception):
    """Nobody, or nobody who lets us in; the message has no secret of the address in it."""


def probe(url: str, timeout_s: float) -> None:
    """Connect and ping.

    Raises:
        ValueError: the address is not one of a Redis.
        NoAnswer: no answer within `timeout_s`, or a refusal.
    """
    with Redis.from_url(url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s) as client:
        try:
            client.ping()
        except (RedisError, OSError) as error:
            raise NoAnswer(f"{shown(url)}: {type(error).__name__}") from None


def shown(url: str) -> str:
    """The address without what may be secret in it: user, password, options."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()
