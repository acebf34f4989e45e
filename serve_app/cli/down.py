"""`serve-app down`: drains and ends the gateway of this machine."""

from __future__ import annotations

import os
from typing import Annotated

import typer
from rich.console import Console

from serve_app.cli.life import launch, leftovers
from serve_app.cli.life.instance import Instance
from serve_app.cli.show import only_new, progress
from serve_app.cli.stopper import stopper


def down(
    now: Annotated[bool, typer.Option("--now", help="Do not wait for running requests.")] = False,
) -> None:
    """Drain the gateway, end it, and see that nothing of it is left.

    \b
    Examples:
      serve-app down
      serve-app down --now
    """
    instance, console = Instance.of(os.environ), Console()
    if not instance.is_owned():
        _clean(console, instance)
        return
    with stopper(instance) as stop:
        stop.asked = 2 if now else 1
        with progress(console) as show:
            status = launch.follow_to_the_end(instance, stop.around(only_new(show)))
    if status.error:
        console.print(status.error, markup=False)
    console.print("Stopped; nothing is left behind.")


def _clean(console: Console, instance: Instance) -> None:
    """No supervisor: end what it may have left."""
    lock = instance.acquire() if instance.folder.exists() else None
    count = 0
    if lock is not None:
        try:
            count = leftovers.clean(instance)
        finally:
            os.close(lock)
    if count:
        console.print(f"Its supervisor was killed; ended {count} processes that were left.")
    else:
        console.print(f"Nothing runs in {instance.folder}.")
