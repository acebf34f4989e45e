"""Starts the supervisor, and follows what it writes until it is done."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection
from contextlib import suppress

import msgspec

from serve_app.cli.failure import Failure
from serve_app.cli.life.instance import Instance
from serve_app.cli.life.order import Order
from serve_app.cli.life.processes import is_alive, send
from serve_app.cli.life.records import State, Status, load_record

FINAL = ("failed", "stopped")
_POLL_S = 0.15
_EXIT_LIMIT_S = 10.0
Show = Callable[[Status], None]


def start_supervisor(instance: Instance, order: Order, lock: int) -> None:
    """Start it detached; it inherits the lock, which the caller then closes."""
    for old in (instance.status, instance.state):
        old.unlink(missing_ok=True)
    if instance.log.exists():
        instance.log.replace(instance.log.with_suffix(".1.log"))
    with (instance.logs / "supervisor.err").open("wb") as errors:
        child = subprocess.Popen(
            [sys.executable, "-m", "serve_app.cli.supervisor"],
            stdin=subprocess.PIPE,
            stdout=errors,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=(lock,),
        )
    assert child.stdin is not None
    with suppress(BrokenPipeError), child.stdin:
        child.stdin.write(msgspec.json.encode(order))


def follow(instance: Instance, show: Show, until: Collection[str]) -> Status:
    """Show each state of affairs until it is one of `until`, or there is no supervisor any more.

    Raises:
        Failure: the supervisor died without a last word.
    """
    while True:
        owned = instance.is_owned()
        status = load_record(instance.status, Status)
        if status is not None:
            show(status)
            if status.phase in until:
                return status
        if not owned:
            raise Failure(_died(instance))
        time.sleep(_POLL_S)


def order_stop(instance: Instance) -> bool:
    """Ask the supervisor to end; False if there is none."""
    return _signal(instance, signal.SIGTERM)


def order_reload(instance: Instance) -> bool:
    return _signal(instance, signal.SIGHUP)


def _signal(instance: Instance, what: signal.Signals) -> bool:
    state = load_record(instance.state, State)
    return state is not None and is_alive(state.supervisor) and send(state.supervisor, what)


def follow_to_the_end(instance: Instance, show: Show) -> Status:
    """Like `follow`, until the supervisor has said its last word and is gone."""
    status = follow(instance, show, FINAL)
    give_up_at = time.monotonic() + _EXIT_LIMIT_S
    while instance.is_owned() and time.monotonic() < give_up_at:
        time.sleep(_POLL_S)
    return status


def _died(instance: Instance) -> str:
    with suppress(OSError):
        words = (instance.logs / "supervisor.err").read_text(errors="replace").strip().splitlines()
        if words:
            return f"The supervisor ended: {words[-1][-300:]} (see {instance.logs})"
    return f"The supervisor ended; see {instance.log}"
