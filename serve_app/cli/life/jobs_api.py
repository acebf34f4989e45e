"""Ray's REST interface for jobs, with the token that Ray asks for."""

from __future__ import annotations

import json
from typing import Any, NamedTuple
from urllib.parse import quote

from serve_app.cli.failure import Failure
from serve_app.cli.life.http import Answer, ask

_PATH = "/api/jobs/"
_LIMIT_S = 30.0
"""The first job of a cluster waits for its node's agent."""
_ENDED = frozenset({"SUCCEEDED", "FAILED", "STOPPED"})


class JobState(NamedTuple):
    """A job as Ray sees it."""

    job: str
    """Its name; empty: it was not submitted as a job."""
    status: str
    """PENDING, RUNNING, SUCCEEDED, FAILED or STOPPED."""
    message: str
    exit_code: int | None
    metadata: dict[str, str]

    @property
    def has_ended(self) -> bool:
        return self.status in _ENDED


class JobsApi:
    """One dashboard's interface for jobs.

    Args:
        url: the dashboard's address.
        token: for every request; never logged.
    """

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def submit(self, job: str, entrypoint: str, metadata: dict[str, str]) -> None:
        """Start a job under a name that no other has.

        Raises:
            Failure: Ray takes it not.
            Unreachable: nobody answers.
        """
        wanted = {"submission_id": job, "entrypoint": entrypoint, "metadata": metadata}
        answer = self._ask("POST", "", json.dumps(wanted).encode())
        if answer.status != 200:
            raise Failure(f"Ray does not take the job: {_end(answer)}")

    def state(self, job: str) -> JobState | None:
        """None if there is no job of that name."""
        answer = self._ask("GET", quote(job, safe=""))
        if answer.status == 404:
            return None
        said = answer.json()
        if answer.status != 200 or not isinstance(said, dict):
            raise Failure(f"Ray does not tell how {job} is: {_end(answer)}")
        return _state(said)

    def running(self) -> list[JobState]:
        """Those that have not ended, the ones that begin among them."""
        answer = self._ask("GET", "")
        said = answer.json()
        if answer.status != 200 or not isinstance(said, list):
            raise Failure(f"Ray does not list its jobs: {_end(answer)}")
        states = [_state(one) for one in said if isinstance(one, dict)]
        return [state for state in states if state.job and not state.has_ended]

    def log(self, job: str) -> str:
        """All that it has written."""
        said: Any = self._ask("GET", f"{quote(job, safe='')}/logs").json()
        return str(said.get("logs", "")) if isinstance(said, dict) else ""

    def stop(self, job: str) -> None:
        """Ask it to end, and end it if it does not."""
        answer = self._ask("POST", f"{quote(job, safe='')}/stop")
        if answer.status != 200:
            raise Failure(f"Ray does not stop {job}: {_end(answer)}")

    def _ask(self, method: str, path: str, body: bytes | None = None) -> Answer:
        path = _PATH + path
        return ask(method, self._url, path, body=body, headers=self._headers, timeout_s=_LIMIT_S)


def _state(said: dict[str, Any]) -> JobState:
    code = said.get("driver_exit_code")
    return JobState(
        str(said.get("submission_id") or ""),
        str(said.get("status", "")),
        str(said.get("message") or ""),
        code if isinstance(code, int) else None,
        dict(said.get("metadata") or {}),
    )


def _end(answer: Answer) -> str:
    text = " ".join(answer.body.decode(errors="replace").replace("\\n", " ").split())
    return text[-300:] or f"HTTP {answer.status}"
