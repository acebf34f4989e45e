"""Reload: the configuration files read anew and handed to Serve, which changes what changed."""

from __future__ import annotations

import os
from pathlib import Path

from serve_app.cli.failure import Failure
from serve_app.cli.life.order import Order
from serve_app.config.deployment import Deployment
from serve_app.config.load import load
from serve_app.config.marked import ConfigError


def reread(order: Order, running: Deployment) -> Deployment:
    """The deployment that the files describe now.

    Raises:
        Failure: they cannot be used, or want what only a restart can change.
    """
    try:
        wanted = load(
            Path(order.config),
            tuple(map(Path, order.overlays)),
            environ=os.environ,
            port=order.port,
            device=order.device,
        )
    except ConfigError as error:
        raise Failure(str(error)) from error
    if (wanted.host, wanted.port) != (running.host, running.port):
        raise Failure("http_options only change with a restart: serve-app down, then up")
    if wanted.redis_url != running.redis_url:
        raise Failure("another Redis needs a restart: serve-app down, then up")
    return wanted
