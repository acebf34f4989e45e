"""Asks once, before anything is started, whether a Redis answers."""

from __future__ import annotations

from urllib.parse import urlsplit

from redis import Redis
from redis.exceptions import RedisError, ResponseError

from serve_app.store import address


class NoAnswer(Exception):
    """Nobody, or nobody who lets us in; the message has no secret of the address in it."""


def probe(url: str, timeout_s: float) -> None:
    """Connect and ping; of a cluster: find a server that says that it is in order.

    Raises:
        ValueError: the address is not one of a Redis, or its form is not the one of a cluster.
        NoAnswer: no answer within `timeout_s`, or a refusal.
    """
    try:
        if address.is_cluster(url):
            _probe_cluster(address.parse(url), timeout_s)
        else:
            _probe_server(url, timeout_s)
    except (RedisError, OSError) as error:
        raise NoAnswer(f"{shown(url)}: {type(error).__name__}") from None


def shown(url: str) -> str:
    """The address without what may be secret in it: user, password, options."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()


def _probe_server(url: str, timeout_s: float) -> None:
    with _connected(url, timeout_s) as client:
        client.ping()
        if _is_of_a_cluster(client):
            raise ValueError(f"{shown(url)} belongs to a cluster, write redis+cluster://")


def _is_of_a_cluster(client: Redis) -> bool:
    try:
        return client.info("cluster").get("cluster_enabled") == 1
    except ResponseError:  # we may not ask
        return False


def _probe_cluster(cluster: address.ClusterAddress, timeout_s: float) -> None:
    each_s = timeout_s / len(cluster.seeds)
    problem = ""
    for seed in cluster.seeds:
        try:
            problem = _state(cluster.url_of(seed), each_s)
        except (RedisError, OSError) as error:
            problem = type(error).__name__
        if problem == "ok":
            return
    raise NoAnswer(f"{', '.join(map(address.name_of, cluster.seeds))}: {problem}")


def _state(url: str, timeout_s: float) -> str:
    """`ok`, or what is the matter with the cluster."""
    with _connected(url, timeout_s) as client:
        try:
            state = client.execute_command("CLUSTER INFO")["cluster_state"]
        except ResponseError as error:
            if "cluster support disabled" not in str(error):
                raise
            return "belongs to no cluster, write redis://"
    return "ok" if state == "ok" else f"cluster_state:{state}"


def _connected(url: str, timeout_s: float) -> Redis:
    return Redis.from_url(url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s)
