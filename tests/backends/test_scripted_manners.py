"""The scripted provider's manners: begun answers, tools, embeddings, and being unsteady."""

from __future__ import annotations

import json
import time
from collections import Counter
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPResponse, IncompleteRead
from typing import Any

import pytest
from provider.answers import tale
from provider.fixtures import ScriptedProvider
from provider.vectors import vector

USER = {"role": "user", "content": "tell me"}
WHOLE = tale("tell me")


def post(
    provider: ScriptedProvider, path: str, body: dict[str, Any], key: str = ""
) -> tuple[int, HTTPResponse, bytes]:
    connection = HTTPConnection("127.0.0.1", provider.port, timeout=10)
    try:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        connection.request("POST", path, json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, answer, answer.read()
    finally:
        connection.close()


def chat(provider: ScriptedProvider, model: str, *more: dict[str, Any], **fields: Any) -> Any:
    """Status, and the text or the error's message."""
    body = {"model": model, "messages": [USER, *more], **fields}
    status, _, answer = post(provider, "/v1/chat/completions", body)
    value = json.loads(answer)
    return status, value["choices"][0]["message"] if status == 200 else value["error"]["message"]


@pytest.mark.parametrize(
    ("style", "mark", "fields"),
    [
        ("any", {}, {}),
        ("bare", {}, {}),
        ("partial", {"partial": True}, {}),
        ("prefix", {"prefix": True}, {}),
        ("vllm", {}, {"continue_final_message": True, "add_generation_prompt": False}),
    ],
)
@pytest.mark.parametrize("cut", [0, 5, 100, len(WHOLE)])
def test_a_begun_answer_is_gone_on_from(
    provider: ScriptedProvider,
    style: str,
    mark: dict[str, Any],
    fields: dict[str, Any],
    cut: int,
) -> None:
    begun = {"role": "assistant", "content": WHOLE[:cut], **mark}
    status, message = chat(provider, f"tale+{style}+ok", begun, **fields)
    assert (status, WHOLE[:cut] + message["content"]) == (200, WHOLE)


@pytest.mark.parametrize("manner", ["partial", "prefix", "vllm", "no-prefix"])
def test_a_beginning_handed_over_in_another_way_is_refused(
    provider: ScriptedProvider, manner: str
) -> None:
    status, message = chat(provider, f"tale+{manner}", {"role": "assistant", "content": "Once"})
    assert status == 400, message


@pytest.mark.parametrize("name", ["tale", "other-words", "departs"])
def test_otherwise_the_answer_begins_anew(provider: ScriptedProvider, name: str) -> None:
    first = chat(provider, name)[1]["content"]
    again = chat(provider, name, {"role": "assistant", "content": WHOLE[:20]})[1]["content"]
    assert first == again
    assert (first == WHOLE) == (name == "tale")
    assert first.startswith(WHOLE[:15]) == (name != "other-words")


def test_a_tool_is_called_and_its_result_is_said(provider: ScriptedProvider) -> None:
    tool = {"type": "function", "function": {"name": "look_up"}}
    _, message = chat(provider, "tools-parallel", tools=[tool])
    calls = message["tool_calls"]
    assert [json.loads(call["function"]["arguments"])["city"] for call in calls] == [
        "Paris",
        "Oslo",
    ]
    assert {call["function"]["name"] for call in calls} == {"look_up"}
    results = [{"role": "tool", "tool_call_id": c["id"], "content": "sunny"} for c in calls]
    _, message = chat(provider, "tools-parallel", message, *results, tools=[tool])
    assert message["content"] == "The tools said: sunny / sunny"


def test_a_third_of_many_connections_break_and_always_the_same(provider: ScriptedProvider) -> None:
    def breaks() -> list[bool]:
        provider.reset()
        return [_is_broken(provider) for _ in range(150)]

    first = breaks()
    assert 0.2 < first.count(True) / len(first) < 0.45
    assert breaks() == first


def _is_broken(provider: ScriptedProvider) -> bool:
    try:
        return chat(provider, "tale+flaky-33")[1]["content"] != WHOLE
    except (HTTPException, IncompleteRead, ConnectionError):
        return True


def test_a_flapping_model_is_down_and_up_in_turns(provider: ScriptedProvider) -> None:
    assert [chat(provider, "flap-2")[0] for _ in range(8)] == [503, 503, 200, 200] * 2


def test_keys_are_told_apart_and_logged(provider: ScriptedProvider) -> None:
    body = {"model": "keys-retry-after-3", "messages": [USER]}
    keys = ["sk-works", "sk-refused", "sk-limited"]
    answers = [post(provider, "/v1/chat/completions", body, key) for key in keys]
    assert [status for status, _, _ in answers] == [200, 401, 429]
    assert answers[2][1].headers["Retry-After"] == "3"
    assert [entry["key"] for entry in provider.log()] == keys


def test_a_retry_after_may_be_a_date(provider: ScriptedProvider) -> None:
    body = {"model": "status-429-retry-at-2s", "messages": [USER]}
    _, answer, _ = post(provider, "/v1/chat/completions", body)
    date = parsedate_to_datetime(answer.headers["Retry-After"])
    assert 1.5 < date.timestamp() - time.time() <= 3


def test_embeddings_are_those_of_the_text(provider: ScriptedProvider) -> None:
    body = {"model": "ok", "input": ["a", "b"], "dimensions": 3}
    status, _, answer = post(provider, "/v1/embeddings", body)
    data = json.loads(answer)["data"]
    assert status == 200
    assert [item["embedding"] for item in data] == [vector("a", 3), vector("b", 3)]


def test_the_log_counts_connections_and_pauses(provider: ScriptedProvider) -> None:
    for _ in range(3):
        chat(provider, "ok")
    assert len(provider.pauses("ok")) == 2
    assert Counter(entry["path"] for entry in provider.log()) == {"/v1/chat/completions": 3}
