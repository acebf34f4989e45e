"""A conversation with a gateway over its OpenAI interface: pieces of text as they come."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any

from serve_app.cli.life.http import connect


class ChatFailed(Exception):
    """No answer, or not a whole one; the message is the gateway's own where there is one."""


class Conversation:
    """Keeps what was said and sends it along.

    Args:
        key: API key, if the gateway wants one.
        timeout_s: longest silence.
    """

    def __init__(
        self, url: str, *, model: str, system: str | None, key: str | None, timeout_s: float
    ) -> None:
        self._url = url
        self._model = model
        self._headers = {"Content-Type": "application/json"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        self._timeout_s = timeout_s
        self._messages = [{"role": "system", "content": system}] if system else []
        self.answered_by = ""

    def say(self, text: str) -> Iterator[str]:
        """Ask, and yield the answer piece by piece.

        What was not answered to the end is not remembered.

        Raises:
            ChatFailed: refused, unreachable, or broken off.
        """
        asked = {"role": "user", "content": text}
        said: list[str] = []
        for piece in self._stream([*self._messages, asked]):
            said.append(piece)
            yield piece
        self._messages += [asked, {"role": "assistant", "content": "".join(said)}]

    def _stream(self, messages: list[dict[str, str]]) -> Iterator[str]:
        body = json.dumps({"model": self._model, "messages": messages, "stream": True})
        connection, prefix = connect(self._url, self._timeout_s)
        try:
            connection.request(
                "POST", f"{prefix}/v1/chat/completions", body.encode(), self._headers
            )
            response = connection.getresponse()
            if response.status != 200:
                raise ChatFailed(_problem(response.read(), f"HTTP {response.status}"))
            self.answered_by = response.getheader("x-serve-app-backend") or ""
            yield from _pieces(response)
        except (OSError, http.client.HTTPException) as error:
            raise ChatFailed(f"{self._url}: {error or type(error).__name__}") from error
        finally:
            connection.close()


def _pieces(response: http.client.HTTPResponse) -> Iterator[str]:
    for line in response:
        if not line.startswith(b"data:"):
            continue
        payload = line[5:].strip()
        if payload == b"[DONE]":
            return
        event = _parsed(payload)
        if "error" in event:
            raise ChatFailed(_problem(payload, "the answer broke off"))
        for choice in event.get("choices") or ():
            if text := (choice.get("delta") or {}).get("content"):
                yield text
    raise ChatFailed("the answer broke off")


def _parsed(payload: bytes) -> dict[str, Any]:
    try:
        event = json.loads(payload)
    except ValueError:
        raise ChatFailed("the answer is not JSON") from None
    return event if isinstance(event, dict) else {}


def _problem(body: bytes, otherwise: str) -> str:
    """The message of an OpenAI error body."""
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return otherwise
