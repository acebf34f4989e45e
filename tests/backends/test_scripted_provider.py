"""The scripted provider itself: scripts, its log, and what it notices."""

from __future__ import annotations

import socket
from http.client import HTTPConnection

from provider.fixtures import ScriptedProvider, start, stop


def ask(provider: ScriptedProvider, body: str) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", provider.port, timeout=10)
    try:
        connection.request("POST", "/v1/chat/completions", body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def chat(model: str) -> str:
    return f'{{"model": "{model}", "messages": [{{"role": "user", "content": "hi"}}]}}'


def test_a_script_is_followed_step_by_step_and_its_last_step_stays(
    provider: ScriptedProvider,
) -> None:
    provider.script("flaky", "status-500", "status-429", "ok")
    assert [ask(provider, chat("flaky"))[0] for _ in range(4)] == [500, 429, 200, 200]
    assert [e["behaviour"] for e in provider.log("flaky")] == [
        "status-500",
        "status-429",
        "ok",
        "ok",
    ]


def test_reset_forgets_scripts_and_log(provider: ScriptedProvider) -> None:
    provider.script("any", "status-500")
    ask(provider, chat("any"))
    provider.reset()
    assert provider.log() == []
    assert ask(provider, chat("any"))[0] == 200


def test_a_request_that_is_no_chat_is_refused(provider: ScriptedProvider) -> None:
    assert [ask(provider, body)[0] for body in ("{", "[]", "{}")] == [400, 400, 400]


def test_a_client_that_closes_is_noticed(provider: ScriptedProvider) -> None:
    with socket.create_connection(("127.0.0.1", provider.port)) as client:
        body = chat("no-response")
        head = f"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n"
        client.sendall((head + body).encode())
        assert provider.wait("no-response", "seen")
        assert not provider.wait("no-response", "aborted", timeout_s=0.01)
    assert provider.wait("no-response", "aborted")
    [entry] = provider.log()
    assert entry["done_at"] is None


def test_two_providers_can_run_side_by_side(provider: ScriptedProvider) -> None:
    process, other = start()
    try:
        assert other.port != provider.port
        assert ask(other, chat("ok"))[0] == 200
    finally:
        stop(process)
    assert provider.log() == []
