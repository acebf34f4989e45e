"""A Ray to work on: the cluster that this job runs in, one that was named, or one of our own."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from serve_app.batch.failure import BatchFailed
from serve_app.batch.leftovers import MARKER, end_marked

LOCAL: Final = "local"
_OBJECT_STORE_BYTES: Final = 200_000_000
"""Only prompts and answers that are on their way."""
_IDLE_WORKER_MS: Final = str(3_600_000)
"""Longer than any block of rows takes."""


@contextmanager
def connected(address: str | None, output: str) -> Iterator[None]:
    """While Ray can be used.

    A cluster of somebody else's is left as it is. Our own, for lack of one, ends with us; what
    an earlier run left that was killed is ended first.

    Args:
        address: of a cluster, `auto` or `local`; None: RAY_ADDRESS, which jobs have, or `local`.
        output: whose batch this is; its lock is held.

    Raises:
        BatchFailed: there is no such cluster, or Ray does not start.
    """
    wanted = address or os.environ.get("RAY_ADDRESS") or LOCAL
    if wanted != LOCAL:
        with _session(address=wanted):
            yield
        return
    with _own(output) as settings, _session(address=LOCAL, **settings):
        yield


@contextmanager
def _session(**settings: Any) -> Iterator[None]:
    # Ray Data's way of making actors is an error to Ray's core, which it says on our terminal;
    # that it has been told not to, it says there as well, once, in `init`.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    # Here, not above: Ray reads its environment when it is imported.
    import ray

    try:
        with _mute():
            ray.init(log_to_driver=False, logging_level="ERROR", **settings)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        where = settings["address"]
        raise BatchFailed(f"Ray ({where}) cannot be used: {error}") from error
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _mute() -> Iterator[None]:
    """While nothing that is written to the error stream is seen; exceptions are not written."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


@contextmanager
def _own(output: str) -> Iterator[dict[str, Any]]:
    """The settings of a Ray for this batch alone, reachable on this machine and by us only."""
    clean(output)
    folder = _folder(output)
    try:
        folder.mkdir(mode=0o700)
        os.environ.update(_environment(folder, _name(output)))
    except OSError as error:
        raise BatchFailed(f"{folder}: {error.strerror}") from error
    try:
        yield {
            "include_dashboard": False,
            "object_store_memory": _OBJECT_STORE_BYTES,
            "_node_ip_address": "127.0.0.1",
            "_temp_dir": str(folder / "r"),
        }
    finally:
        clean(output)  # workers may outlive Ray's servers for a while


def clean(output: str) -> None:
    """End and remove what a run for this output may have left that was killed."""
    folder = _folder(output)
    if folder.exists():
        end_marked(_name(output))
        shutil.rmtree(folder, ignore_errors=True)


def _name(output: str) -> str:
    return hashlib.sha256(output.encode()).hexdigest()[:12]


def _folder(output: str) -> Path:
    """Short, because a Unix socket's path has at most 107 bytes."""
    return Path(tempfile.gettempdir()) / f"serve-app-batch-{os.getuid()}-{_name(output)}"


def _environment(folder: Path, name: str) -> dict[str, str]:
    token = folder / "token"
    token.touch(mode=0o600)
    token.write_text(secrets.token_hex(32))
    return {
        MARKER: name,
        # Without them Ray writes a token for all its users into the home folder.
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        # Ray's workers, and so the engine, give way to everything else on the machine: 152 against
        # 229 tokens/s on two cores with a little to do beside it (measured).
        "RAY_worker_niceness": "0",
        # A worker without a task for a second is ended, and the next task starts another: 0.3 to
        # 1.3 s of CPU each, a fifth of a core all along (230 against 273 tokens/s, measured).
        "RAY_idle_worker_killing_time_threshold_ms": _IDLE_WORKER_MS,
    }
