"""`serve-app reload`: the files of the running gateway, read anew."""

from __future__ import annotations

import os
import time

from rich.console import Console

from serve_app.cli.failure import ENVIRONMENT, USAGE, Failure
from serve_app.cli.life import launch
from serve_app.cli.life.instance import Instance
from serve_app.cli.life.records import Status, load_record

_LIMIT_S = 30.0
_POLL_S = 0.1


def reload() -> None:
    """Apply changed configuration files to the running gateway.

    A changed policy (user_config) takes effect in place, no request is dropped. A bad one is
    refused as a whole and the old one stays.
    """
    instance = Instance.of(os.environ)
    before = _reloads(instance)
    if not launch.order_reload(instance):
        raise Failure(f"Nothing runs in {instance.folder}: serve-app up")
    give_up_at = time.monotonic() + _LIMIT_S
    while (status := load_record(instance.status, Status)) is None or status.reloads == before:
        if time.monotonic() > give_up_at:
            raise Failure(f"No answer within {_LIMIT_S:.0f} s; see {instance.log}", ENVIRONMENT)
        time.sleep(_POLL_S)
    if status.reload_problem:
        raise Failure(f"Refused, the old configuration stays: {status.reload_problem}", USAGE)
    Console().print("Reloaded.")


def _reloads(instance: Instance) -> int:
    status = load_record(instance.status, Status)
    return 0 if status is None else status.reloads
