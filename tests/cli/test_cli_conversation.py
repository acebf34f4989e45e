"""The terminal chat's conversation, against a small real HTTP server that says what it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from serve_app.cli.conversation import ChatFailed, Conversation


class Script(ThreadingHTTPServer):
    """Answers every request with `status` and `body`; keeps what it was asked."""

    status = 200
    body = b""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Script

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.server.asked.append(json.loads(self.rfile.read(length)))
        self.server.headers.append(dict(self.headers))
        self.send_response(self.server.status)
        self.send_header("x-serve-app-backend", "scripted")
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def script() -> Iterator[Script]:
    with Script() as server, _served(server):
        yield server


@contextmanager
def _served(server: Script) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


def events(*pieces: str, done: bool = True) -> bytes:
    lines = [json.dumps({"choices": [{"delta": {"content": piece}}]}) for piece in pieces]
    return "".join(f"data: {line}\n\n" for line in [*lines, *(["[DONE]"] if done else [])]).encode()


def conversation(script: Script, **options: Any) -> Conversation:
    defaults: dict[str, Any] = {"model": "auto", "system": None, "key": None, "timeout_s": 20.0}
    return Conversation(script.url, **(defaults | options))


def test_an_answer_comes_in_pieces(script: Script) -> None:
    script.body = events("Par", "is", ".")
    talk = conversation(script)
    assert list(talk.say("Capital?")) == ["Par", "is", "."]
    assert talk.answered_by == "scripted"


def test_what_was_said_goes_along(script: Script) -> None:
    script.body = events("Yes.")
    talk = conversation(script, system="Be short.")
    list(talk.say("One?"))
    list(talk.say("Two?"))
    assert script.asked[1] == {
        "model": "auto",
        "stream": True,
        "messages": [
            {"role": "system", "content": "Be short."},
            {"role": "user", "content": "One?"},
            {"role": "assistant", "content": "Yes."},
            {"role": "user", "content": "Two?"},
        ],
    }


def test_a_key_is_sent(script: Script) -> None:
    script.body = events("x")
    list(conversation(script, key="secret").say("?"))
    assert script.headers[0]["Authorization"] == "Bearer secret"


def test_a_refusal_is_the_gateways_own_words(script: Script) -> None:
    script.status, script.body = 403, b'{"error": {"message": "blocked by rule x"}}'
    with pytest.raises(ChatFailed, match="blocked by rule x"):
        list(conversation(script).say("?"))


def test_an_error_in_mid_answer_ends_it(script: Script) -> None:
    script.body = events("Par", done=False) + b'data: {"error": {"message": "backend gone"}}\n\n'
    pieces = conversation(script).say("?")
    assert next(pieces) == "Par"
    with pytest.raises(ChatFailed, match="backend gone"):
        next(pieces)


def test_an_answer_that_stops_without_its_end_is_not_whole(script: Script) -> None:
    script.body = events("Par", done=False)
    talk = conversation(script)
    with pytest.raises(ChatFailed, match="broke off"):
        list(talk.say("?"))
    script.body = events("ok")
    list(talk.say("again"))
    assert [m["content"] for m in script.asked[1]["messages"]] == ["again"]


def test_nobody_there_is_said() -> None:
    talk = Conversation("http://127.0.0.1:1", model="auto", system=None, key=None, timeout_s=5)
    with pytest.raises(ChatFailed, match="http://127"):
        list(talk.say("?"))
