"""Waits for the applications: which are up, which failed, and whether that can be lived with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from serve_app.cli.failure import Failure
from serve_app.cli.life.http import Unreachable, ask
from serve_app.cli.life.orders import Deadline
from serve_app.cli.life.report import Report, StepReport
from serve_app.cli.life.serve_api import AppState, ServeApi, gist

_READINESS_LIMIT_S = 60.0
"""After every application is up, readiness is a matter of Redis and of a probe or two."""
Pause = Callable[[str], None]
"""One short pause of a wait for something; raises when it has taken too long."""


class AppWatch:
    """Watches the applications of one document come up.

    Args:
        optional: applications that the gateway can do without (local models, when a hosted
            backend is on): their failure is a notice.
    """

    def __init__(
        self,
        document: dict[str, Any],
        address: str,
        api: ServeApi,
        report: Report,
        optional: frozenset[str],
    ) -> None:
        self._apps: list[dict[str, Any]] = document["applications"]
        self._address = address
        self._api = api
        self._report = report
        self._optional = optional

    def wait(self, pause: Pause, serving: Callable[[], None]) -> None:
        """Until every application is up or given up.

        Args:
            serving: called once the first application answers requests.

        Raises:
            Failure: one that is needed failed, or the gateway does not get ready.
        """
        steps = {
            app["name"]: self._report.begin(f"Application {app['name']}") for app in self._apps
        }
        try:
            while any(step.is_open for step in steps.values()):
                self._look(steps, serving)
                pause("An application")
        except BaseException:
            for step in steps.values():
                step.close("failed")
            raise
        self._wait_until_ready(pause)

    def _look(self, steps: dict[str, StepReport], serving: Callable[[], None]) -> None:
        states = self._api.applications()
        for app in self._apps:
            step = steps[app["name"]]
            state = states.get(app["name"])
            if not step.is_open or state is None:
                continue
            if state.status == "RUNNING":
                self._is_running(app, step, serving)
            elif state.status == "DEPLOY_FAILED":
                self._has_failed(app["name"], step, state)
            else:
                step.says(state.status.lower().replace("_", " "))

    def _is_running(
        self, app: dict[str, Any], step: StepReport, serving: Callable[[], None]
    ) -> None:
        prefix = app.get("route_prefix", "/")
        if prefix is None:
            step.close("done", "")
        elif _status(self._address, f"{prefix.rstrip('/')}/health/liveness") == 200:
            serving()
            step.close("done", f"answers at {self._address}")
        else:
            step.says("waiting for the proxy")

    def _has_failed(self, name: str, step: StepReport, state: AppState) -> None:
        why = gist(state.message)
        step.close("failed", why)
        if name not in self._optional:
            raise Failure(f"Application {name!r} does not start: {why}")
        self._report.notice(f"{name} does not start; hosted backends alone answer: {why}")

    def _wait_until_ready(self, pause: Pause) -> None:
        fronts = [app for app in self._apps if app.get("route_prefix", "/") is not None]
        with self._report.step("Readiness") as step:
            deadline = Deadline(_READINESS_LIMIT_S)
            for app in fronts:
                path = f"{app.get('route_prefix', '/').rstrip('/')}/health/readiness"
                while (missing := _not_ready(self._address, path)) is not None:
                    step.says(missing)
                    if deadline.over:
                        raise Failure(f"{app['name']!r} is up but not ready: {missing}")
                    pause("The gateway")
            step.close("done", "")


def _status(address: str, path: str) -> int:
    try:
        return ask("GET", address, path).status
    except Unreachable:
        return 0


def _not_ready(address: str, path: str) -> str | None:
    """Why the gateway is not ready, None if it is."""
    try:
        answer = ask("GET", address, path)
    except Unreachable as error:
        return str(error)
    if answer.status == 200:
        return None
    said = answer.json()
    return failing_checks(said) or _own_words(said) or f"HTTP {answer.status}"


def _own_words(said: Any) -> str:
    """The message of an OpenAI error body."""
    error = said.get("error") if isinstance(said, dict) else None
    return str(error.get("message", "")) if isinstance(error, dict) else ""


def failing_checks(readiness: Any) -> str:
    """The checks of a readiness answer that are not fine, in one line."""
    checks = readiness.get("checks") if isinstance(readiness, dict) else None
    if not isinstance(checks, dict):
        return ""
    named = {"redis": checks.get("redis"), **(checks.get("backends") or {})}
    bad = [
        f"{name}: {check.get('detail', '')}"
        for name, check in named.items()
        if isinstance(check, dict) and not check.get("ok")
    ]
    return "; ".join(bad)
