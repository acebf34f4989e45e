"""Serve's REST interface, as `serve deploy` uses it, with the token that Ray asks for."""

from __future__ import annotations

import json
import logging
from typing import Any, NamedTuple

from serve_app.cli.failure import USAGE, Failure
from serve_app.cli.life.http import Unreachable, ask

_log = logging.getLogger("serve_app.supervisor")
_PATH = "/api/serve/applications/"


class AppState(NamedTuple):
    status: str
    message: str


class ServeApi:
    """One dashboard's Serve interface.

    Args:
        url: the dashboard's address.
        token: for every request; never logged.
    """

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def is_up(self) -> bool:
        try:
            return ask("GET", self._url, _PATH, headers=self._headers).status == 200
        except Unreachable:
            return False

    def deploy(self, document: dict[str, Any]) -> None:
        """Hand the applications over; starting them goes on afterwards.

        Raises:
            Failure: Serve refuses the document.
            Unreachable: nobody answers.
        """
        body = json.dumps(document).encode()
        # The first call starts Serve's controller and proxies: seconds on a busy machine.
        answer = ask("PUT", self._url, _PATH, body=body, headers=self._headers, timeout_s=120)
        if answer.status == 200:
            return
        said = answer.body.decode(errors="replace")
        _log.error("Serve said %d: %s", answer.status, said)
        if answer.status == 400:
            raise Failure(f"Serve refuses the configuration: {_end(said)}", USAGE)
        raise Failure(f"Serve does not start: {_end(said)}")

    def applications(self) -> dict[str, AppState]:
        """State of each application; empty while nobody answers."""
        try:
            details = ask("GET", self._url, _PATH, headers=self._headers, timeout_s=20).json()
        except Unreachable:
            return {}
        apps = details.get("applications", {}) if isinstance(details, dict) else {}
        return {name: AppState(app["status"], _message(app)) for name, app in apps.items()}

    def shut_down(self) -> None:
        """Take every application down and end Serve.

        Raises:
            Unreachable: it did not within the limit (Serve's own is 30 s).
        """
        ask("DELETE", self._url, _PATH, headers=self._headers, timeout_s=60)


def _message(app: dict[str, Any]) -> str:
    """What is wrong: a deployment knows why, the application often only that."""
    said = [d.get("message") or "" for d in (app.get("deployments") or {}).values()]
    said.append(app.get("message") or "")
    return next((m for m in said if m), "")


def _end(text: str) -> str:
    return " ".join(text.replace("\\n", " ").split())[-400:]


def gist(message: str) -> str:
    """The line of a traceback that says what happened."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    errors = [line for line in lines if line.split(":")[0].endswith(("Error", "Exception"))]
    return (errors or lines or [""])[-1][:300]
