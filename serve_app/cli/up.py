"""`serve-app up`: from nothing to a gateway that answers, or one clear line why not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from serve_app.cli import options
from serve_app.cli.failure import USAGE, Failure
from serve_app.cli.life import launch, leftovers, preflight
from serve_app.cli.life.instance import Instance
from serve_app.cli.life.order import Order
from serve_app.cli.life.records import Status
from serve_app.cli.show import only_new, progress
from serve_app.cli.stopper import Stopper, stopper
from serve_app.cli.summary import ready_lines
from serve_app.config.deployment import Deployment
from serve_app.config.load import load
from serve_app.config.marked import ConfigError

INTERRUPTED = 130


def up(
    config: options.Config = None,
    overlay: options.Overlay = None,
    port: options.Port = None,
    device: Annotated[
        str | None, typer.Option(help="Where local models run: auto, cpu or gpu.")
    ] = None,
    foreground: Annotated[
        bool, typer.Option("--foreground", "-f", help="Stay; Ctrl-C drains and ends everything.")
    ] = False,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds the start may take.")] = 900.0,
) -> None:
    """Start the gateway and return when it answers.

    \b
    Examples:
      serve-app up
      serve-app up --config small-team --port 9000
      serve-app up --foreground
      serve-app up --config enterprise --overlay small-machine
    """
    deployment = read(config, overlay, port, device)
    instance = Instance.of(os.environ)
    first, *others = (str(file.absolute()) for file in deployment.files)
    order = Order(str(instance.folder), first, others, port, device, timeout)
    console = Console()
    with stopper(instance) as stop:
        _start(console, instance, deployment, order)
        status = _until_ready(console, instance, stop)
        for line in ready_lines(deployment, status.notices, os.environ):
            console.print(line, soft_wrap=True, highlight=False, markup=False)
        if foreground:
            _stay(console, instance, stop)


def read(
    config: Path | None, overlays: list[Path] | None, port: int | None, device: str | None
) -> Deployment:
    """The checked configuration that a command's options mean.

    Raises:
        Failure: it cannot be used.
    """
    if device not in (None, "auto", "cpu", "gpu"):
        raise Failure(f"--device is auto, cpu or gpu, not {device!r}", USAGE)
    path, more = options.config_file(config), options.overlay_files(overlays)
    try:
        return load(path, more, environ=os.environ, port=port, device=device)
    except ConfigError as error:
        raise Failure(str(error), USAGE) from error


def _start(console: Console, instance: Instance, deployment: Deployment, order: Order) -> None:
    """Take the place, clear it, look whether everything is there, start the supervisor."""
    try:
        instance.make()
        lock = instance.acquire()
    except OSError as error:
        raise Failure(f"{instance.folder} cannot be used: {error.strerror}") from error
    if lock is None:
        raise Failure(f"Already running ({instance.folder}): serve-app status, or serve-app down")
    try:
        if count := leftovers.clean(instance):
            console.print(f"Ended {count} processes of a gateway whose supervisor was killed.")
        clear = preflight.check(deployment, instance.folder, os.environ)
        order = msgspec.structs.replace(
            order, without_models=clear.without_models, notices=list(clear.notices)
        )
        launch.start_supervisor(instance, order, lock)
    finally:
        os.close(lock)


def _until_ready(console: Console, instance: Instance, stop: Stopper) -> Status:
    with progress(console) as show:
        status = launch.follow(instance, stop.around(show), ("ready", *launch.FINAL))
        if status.phase == "ready":
            return status
        launch.follow_to_the_end(instance, show)
    if status.error:
        raise Failure(status.error, status.exit_code)
    raise Failure("Stopped before it was ready; nothing is left behind", INTERRUPTED)


def _stay(console: Console, instance: Instance, stop: Stopper) -> None:
    console.print("Ctrl-C ends it (once: running requests finish; twice: at once).")
    with progress(console) as show:
        status = launch.follow_to_the_end(instance, stop.around(only_new(show)))
    if status.error:
        raise Failure(status.error, status.exit_code)
    console.print("Stopped; nothing is left behind.")
