"""The environment that Ray, Serve and HAProxy need before they start; later is too late."""

from __future__ import annotations

import os
import resource
from collections.abc import Mapping
from pathlib import Path

from serve_app.cli.life.ports import Ports

_LONGEST_HEADER_WAIT_S = 60
_MOST_STREAMS = 20_000


def ray_environment(
    environ: Mapping[str, str],
    *,
    token: Path,
    haproxy: Path,
    ports: Ports,
    longest_request_s: float,
) -> dict[str, str]:
    """The caller's environment with ours on top. What only tunes keeps the caller's value.

    Args:
        token: file with the token for Ray's interfaces.
        haproxy: folder for HAProxy's configuration and sockets.
        longest_request_s: no stream lives longer.
    """
    tuning = _tuning(longest_request_s)
    own = {name: value for name, value in environ.items() if name != "RAY_ADDRESS"}
    return tuning | own | _identity(token, haproxy, ports)


def _tuning(longest_request_s: float) -> dict[str, str]:
    cores = len(os.sched_getaffinity(0))
    return {
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
        "RAY_SERVE_HAPROXY_NBTHREAD": str(max(1, min(4, cores))),
        "RAY_SERVE_HAPROXY_MAXCONN": str(_maxconn()),
        # HAProxy cuts streams so many seconds after a reload, whatever they are doing.
        "RAY_SERVE_HAPROXY_HARD_STOP_AFTER_S": str(int(longest_request_s) + 60),
        # Only while the caller is to send or take data (measured: a model may think longer).
        "RAY_SERVE_HAPROXY_TIMEOUT_CLIENT_S": str(_LONGEST_HEADER_WAIT_S),
        # Its metrics cost a line parsed in Python per request: 0.30 instead of 0.21 CPU ms.
        "RAY_SERVE_HAPROXY_METRICS_ENABLED": "0",
        # `down` drains before it shuts down; a rolled replica leaves HAProxy within 0.1 s.
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "2",
        # Prompts with images are larger than the 4 MiB that a message between replicas may have.
        "RAY_SERVE_REPLICA_GRPC_MAX_MESSAGE_LENGTH": str(64 << 20),
        "RAY_USAGE_STATS_ENABLED": "0",
        # Ray makes its workers nicer than other processes; these are the service itself.
        "RAY_worker_niceness": "0",
        # Ray binds to the address of a network otherwise, and loses itself when that changes.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    }


def _identity(token: Path, haproxy: Path, ports: Ports) -> dict[str, str]:
    return {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": "serve_app.deployments.porch:middlewares",
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(haproxy / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(haproxy / "admin.sock"),
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": str(haproxy / "metrics.sock"),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(haproxy),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(haproxy / "server-state"),
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(ports.named["haproxy_metrics"]),
        "RAY_SERVE_HAPROXY_STATS_PORT": str(ports.named["haproxy_stats"]),
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(ports.named["fallback_http"]),
        "RAY_SERVE_FALLBACK_PROXY_GRPC_PORT": str(ports.named["fallback_grpc"]),
        "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": str(ports.first_replica),
        "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": str(ports.last_replica),
    }


def _maxconn() -> int:
    """Streams at once. HAProxy does not start if its descriptors for them exceed the limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        return _MOST_STREAMS
    # Two ends, and a pipe for every fourth (measured: 24,390 descriptors for 9,744 streams).
    return max(256, min(_MOST_STREAMS, int((hard - 1024) / 2.5)))
