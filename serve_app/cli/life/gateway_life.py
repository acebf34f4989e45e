"""A gateway's life: start, watch, end. Each step is a line of the report."""

from __future__ import annotations

import logging
import os
import secrets
import tempfile
from pathlib import Path
from typing import Any

from serve_app.cli.failure import Failure
from serve_app.cli.life import ports as port_choice
from serve_app.cli.life import processes, uptake
from serve_app.cli.life.apps import AppWatch
from serve_app.cli.life.drain import Drain
from serve_app.cli.life.environment import ray_environment
from serve_app.cli.life.household import Household
from serve_app.cli.life.http import Unreachable
from serve_app.cli.life.instance import Instance
from serve_app.cli.life.keeper import ValkeyKeeper
from serve_app.cli.life.leftovers import remove_runtime
from serve_app.cli.life.model_files import ModelFiles
from serve_app.cli.life.order import Order
from serve_app.cli.life.orders import Deadline, Orders
from serve_app.cli.life.ray_head import RayHead
from serve_app.cli.life.records import ProcessRecord, State
from serve_app.cli.life.reload import reread
from serve_app.cli.life.report import Report
from serve_app.cli.life.serve_api import ServeApi
from serve_app.config.deployment import Deployment
from serve_app.config.load import REDIS_URL_ENV
from serve_app.store.embedded import EmbeddedValkeyError

_log = logging.getLogger("serve_app.supervisor")
_RAY_STOP_S = 20.0
_LOOK_STARTING_S = 1.0
_LOOK_STEADY_S = 5.0
"""Looking through /proc costs milliseconds of CPU."""


class GatewayLife:
    """Everything below it is its own; whatever happens, `end` leaves nothing.

    Args:
        report: is told every step.
        orders: end every wait.
    """

    def __init__(
        self,
        instance: Instance,
        order: Order,
        deployment: Deployment,
        report: Report,
        orders: Orders,
    ) -> None:
        self._instance = instance
        self._order = order
        self._deployment = deployment
        self._report = report
        self._orders = orders
        self._deadline = Deadline(order.timeout_s)
        self._runtime = make_runtime()
        self._ports = port_choice.choose(deployment.port)
        self._valkey: ValkeyKeeper | None = None
        self._ray: RayHead | None = None
        self._is_serving = False
        self._with_models = not order.without_models
        dashboard = f"http://127.0.0.1:{self._ports.named['dashboard']}"
        self._api = ServeApi(dashboard, instance.ray_token())
        self._household = Household(instance.state, self._first_state())

    def _first_state(self) -> State:
        marker = secrets.token_hex(8)
        os.environ[processes.MARKER_ENV] = marker  # for every child
        return State(
            boot_id=processes.boot_id(),
            marker=marker,
            supervisor=processes.identify(os.getpid()) or ProcessRecord(os.getpid(), 0),
            address=self._deployment.address,
            files=[str(file) for file in self._deployment.files],
            ports={"http": self._deployment.port} | self._ports.named,
            runtime=str(self._runtime),
        )

    # ---------------------------------------------------------------- start

    def start(self) -> None:
        """Bring everything up, in the order in which one thing needs the other.

        Raises:
            Failure: something cannot start, or not within the order's time.
            StopOrdered: in mid-start.
        """
        for notice in self._order.notices:
            self._report.notice(notice)
        if self._deployment.redis_url == "embedded":
            with self._report.step("Valkey"):
                self._valkey = ValkeyKeeper(self._instance.valkey)
                self._valkey.start()
        self._prepare_models()
        self._start_ray()
        self._deploy()
        self._report.phase("ready")

    def _prepare_models(self) -> None:
        if not self._with_models or all(m.args.path != "embedded" for m in self._deployment.models):
            return
        files = ModelFiles(self._instance.folder, self._instance.logs)
        try:
            with self._report.step("Embedded model") as step:
                files.prepare(step, self._wait)
        except Failure as failure:
            if not self._deployment.hosted_with_key(os.environ):
                raise
            self._with_models = False
            self._report.notice(f"hosted backends alone answer: {failure.message}")

    def _start_ray(self) -> None:
        log = self._instance.logs / "ray.log"
        with self._report.step("Ray"):
            self._ray = RayHead(self._runtime / "r", self._ports, self._environment(), log)
            self._ray.start()
            while not self._api.is_up():
                self._wait("Ray's dashboard")

    def _environment(self) -> dict[str, str]:
        deadlines = [app.args.server.request_deadline_s for app in self._deployment.gateways]
        environment = ray_environment(
            os.environ,
            token=self._instance.token,
            haproxy=self._haproxy,
            ports=self._ports,
            longest_request_s=max(deadlines, default=300.0),
        )
        environment["SERVE_APP_DATA_DIR"] = str(self._instance.folder)
        if self._valkey is not None:
            environment[REDIS_URL_ENV] = self._valkey.url
        return environment

    def _deploy(self) -> None:
        with self._report.step("Serve"):
            try:
                self._api.deploy(self._document())
            except Unreachable as error:
                logs = self._instance.logs
                raise Failure(f"Ray took no applications: {error}; see {logs}") from error
        optional = frozenset(
            model.name
            for model in self._deployment.models
            if self._deployment.hosted_with_key(os.environ)
        )
        address = self._deployment.address
        watch = AppWatch(self._document(), address, self._api, self._report, optional)
        watch.wait(self._wait, self._serves)

    def _document(self) -> dict[str, Any]:
        """What Serve gets: everything, or everything but the local models."""
        document = self._deployment.document
        left_out = set() if self._with_models else {m.name for m in self._deployment.models}
        apps = [app for app in document["applications"] if app["name"] not in left_out]
        return {**document, "applications": apps}

    def _serves(self) -> None:
        self._is_serving = True

    @property
    def _haproxy(self) -> Path:
        return self._runtime / "h"

    def _wait(self, what: str) -> None:
        """One short pause of a wait for `what`."""
        self._orders.pause(0.2)
        self._look(_LOOK_STARTING_S)
        if self._deadline.over:
            raise Failure(
                f"{what} was not ready within {self._order.timeout_s:.0f} s (--timeout); "
                f"see {self._instance.logs}"
            )

    # ---------------------------------------------------------------- watch

    def watch(self) -> None:
        """Until a stop is ordered.

        Raises:
            StopOrdered: always, unless Ray dies.
            Failure: Ray died.
        """
        while True:
            self._orders.pause(1.0)
            self._look(_LOOK_STEADY_S)
            self._revive_valkey()
            if self._valkey is not None:
                self._valkey.sync()
            if self._orders.take_reload():
                self._reload()

    def _look(self, every_s: float) -> None:
        if self._ray is not None and (code := self._ray.exit_code()) is not None:
            words = self._ray.last_words()
            raise Failure(f"Ray ended (exit code {code}): {words}; see {self._instance.logs}")
        own = set() if self._ray is None else {self._ray.pid}
        self._household.look(own | self._valkey_pids(), every_s=every_s)

    def _revive_valkey(self) -> None:
        """A Valkey that died comes back with its data; the gateway reconnects by itself."""
        if self._valkey is None or not self._valkey.has_died():
            return
        _log.warning("the embedded Valkey has ended; starting it again")
        try:
            self._valkey.start()
        except Failure as failure:
            _log.error("%s", failure.message)  # the next round tries again

    def _reload(self) -> None:
        """Take the files as they are now, or go back to what ran: Serve keeps what it was handed
        for the replicas that it starts later, so a refused policy may not stay there."""
        before = self._deployment
        try:
            self._deployment = reread(self._order, before)
            self._api.deploy(self._document())
            for gateway in self._deployment.gateways:
                uptake.wait(self._deployment.address, gateway, self._orders.rest)
        except (Failure, Unreachable) as error:
            if self._deployment is not before:
                self._deployment = before
                self._hand_back()
            self._report.reloaded(str(error))
        else:
            self._report.reloaded()

    def _hand_back(self) -> None:
        try:
            self._api.deploy(self._document())
        except (Failure, Unreachable) as error:
            _log.error("Serve did not take the old configuration back: %s", error)

    # ------------------------------------------------------------------ end

    def end(self) -> None:
        """Drain, then take everything down, Valkey last; wait until it is gone."""
        self._report.phase("draining")
        if self._ray is not None and self._ray.exit_code() is None:
            self._end_serve()
        with self._report.step("Ray ends"):
            if self._ray is not None:
                self._ray.stop(_RAY_STOP_S)
            self._household.end_all(but=self._valkey_pids(), patience_s=5.0)
        if self._valkey is not None:
            with self._report.step("Valkey ends"):
                self._stop_valkey(self._valkey)
        self._household.end_all(but=set(), patience_s=5.0)
        remove_runtime(str(self._runtime), self._instance.logs / "ray")
        self._household.forget()

    def _end_serve(self) -> None:
        if self._is_serving:
            drain = Drain(
                self._deployment, self._document(), self._api, self._haproxy, self._household
            )
            with self._report.step("Drain") as step:
                drain.run(step, self._orders)
        with self._report.step("Serve ends"):
            try:
                self._api.shut_down()
            except Unreachable as error:  # ended by process id afterwards
                _log.warning("Serve: %s", error)

    def _stop_valkey(self, valkey: ValkeyKeeper) -> None:
        try:
            valkey.stop()
        except EmbeddedValkeyError as error:  # ended by process id afterwards
            _log.warning("Valkey: %s", error)

    def _valkey_pids(self) -> set[int]:
        return set() if self._valkey is None else self._valkey.pids


def make_runtime() -> Path:
    """A folder for sockets: short, because a Unix socket's path has at most 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="serve-app-", dir="/tmp"))
    # Ray makes its own folder writable for everybody; ours around it is not.
    (folder / "r").mkdir()
    (folder / "h").mkdir()
    return folder
