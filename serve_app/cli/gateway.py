"""A running gateway, as the command line asks it over HTTP."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from serve_app.cli.failure import Failure
from serve_app.cli.life.http import Unreachable, ask
from serve_app.cli.summary import KEY_ENV


class Refused(Exception):
    """No answer, or an error; the message is the gateway's own where there is one."""


class Gateway:
    """Asks a gateway, with the key of the environment if there is one.

    Args:
        key_env: names of the variables that may hold the key; the first that is set counts.
    """

    def __init__(
        self, url: str, timeout_s: float = 60.0, key_env: Sequence[str] = (KEY_ENV,)
    ) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._headers = {"Content-Type": "application/json"}
        key = next((found for name in key_env if (found := os.environ.get(name))), None)
        if key is not None:
            self._headers["Authorization"] = f"Bearer {key}"

    def ask(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        """One request.

        Raises:
            Refused: the gateway is not there, or says no.
        """
        try:
            answer = ask(
                method,
                self._url,
                path,
                body=body,
                headers=self._headers,
                timeout_s=self._timeout_s,
            )
        except Unreachable as error:
            raise Refused(str(error)) from None
        said = answer.json()
        if answer.status == 200 and isinstance(said, dict):
            return said
        try:
            raise Refused(str(said["error"]["message"]))
        except (TypeError, KeyError):
            raise Refused(f"{self._url} answers with HTTP {answer.status}") from None

    def must(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        """Like `ask`, and without an answer the command ends.

        Raises:
            Failure: with what the gateway says.
        """
        try:
            return self.ask(method, path, body)
        except Refused as error:
            raise Failure(str(error)) from None
