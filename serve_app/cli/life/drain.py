"""Draining: no new requests, the running ones finish, but not for ever."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from serve_app.cli.failure import Failure
from serve_app.cli.life.haproxy import running_requests
from serve_app.cli.life.household import Household
from serve_app.cli.life.http import Unreachable
from serve_app.cli.life.orders import Deadline, Orders
from serve_app.cli.life.report import StepReport
from serve_app.cli.life.serve_api import ServeApi
from serve_app.config.deployment import GATEWAY_BUILDER, Deployment

_MARGIN_S = 5.0
"""The gateway itself ends what runs after `drain_s`; its last words need a moment."""
_SETTLE_S = 0.5
"""Until every replica has the new policy (measured: 0.13 s)."""


class Drain:
    """Drains the gateways of a deployment.

    Args:
        document: what was deployed.
        haproxy: folder with HAProxy's admin sockets.
    """

    def __init__(
        self,
        deployment: Deployment,
        document: dict[str, Any],
        api: ServeApi,
        haproxy: Path,
        household: Household,
    ) -> None:
        self._limit_s = _MARGIN_S + max(
            (app.args.server.drain_s for app in deployment.gateways), default=0.0
        )
        self._document = document
        self._api = api
        self._haproxy = haproxy
        self._household = household

    def run(self, step: StepReport, orders: Orders) -> None:
        """Until nothing runs, the limit is over, or another stop is ordered."""
        try:
            self._api.deploy(draining(self._document))
        except (Unreachable, Failure) as error:
            step.says(str(error))
            return
        stops, deadline = orders.stops, Deadline(self._limit_s)
        orders.rest(_SETTLE_S)
        while (running := self._running()) and not deadline.over:
            if orders.stops > stops:
                step.says(f"requests cut at the second stop: {running}")
                return
            step.says(f"requests that still run: {running} (at most {deadline.left:.0f} s more)")
            orders.rest(0.2)
        step.says(f"requests cut after {self._limit_s:.0f} s: {running}" if running else "")

    def _running(self) -> int:
        """Running requests; a HAProxy that was reloaded lives on while it has any."""
        running = running_requests(self._haproxy)
        proxies = sum(1 for p in self._household.members() if p.name.startswith("haproxy"))
        return (running or 0) + max(0, proxies - 1)


def draining(document: dict[str, Any]) -> dict[str, Any]:
    """The same document with every gateway's policy saying that it drains."""
    changed = copy.deepcopy(document)
    for app in changed["applications"]:
        if app["import_path"] == GATEWAY_BUILDER:
            for deployment in app["deployments"]:
                deployment.setdefault("user_config", {})["draining"] = True
    return changed
