"""The service against its own OpenAPI document: what it says it takes, and all that it does not.

Schemathesis makes requests from the document, good and bad. Two tenants ask, each with names,
prompts, sessions and tags that hold its mark; the ids in requests are often the other's.
"""

from __future__ import annotations

import copy
import json
import re
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import schemathesis
from fuzz_house import ACME, ADMIN_KEY, ZETA, Running, Tenant
from provider.fixtures import ScriptedProvider
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from serve_app.wire.openapi.document import document

DOCUMENT = json.loads(document())
LIMIT_S = 20
METHODS = ("get", "post", "patch", "delete")
COUSINS = ["/v1/messages/count_tokens", "/v1/route", "/v1/cache/warm"]
"""Their bodies are those of other routes: no need to try every value of every field again."""
ADMINS = ("/v1/keys", "/v1/cache", "/v1/alerts")
TASKS = ("/v1/tasks/{id}", "/agent/result/", "/agent/events/", "/agent/tasks/")

CONFIG = schemathesis.Config.from_dict(
    {
        "seed": 20260,
        "generation": {
            "deterministic": True, "max-examples": 12, "with-security-parameters": False,
            "no-shrink": True,
        },
        "operations": [
            {"include-path": COUSINS, "phases": {"coverage": {"enabled": False}}},
            {"include-path": "/v1/cache", "generation": {"max-examples": 5}},  # a second each
        ],
    }
)  # fmt: skip
schema = schemathesis.openapi.from_dict(DOCUMENT, config=CONFIG)


class Visits:
    """What was asked so far, and the ids there are to ask about, by the path they are below."""

    def __init__(self, ids: dict[str, list[str]], task: Callable[[int], str]) -> None:
        self.ids = ids
        self.task = task
        """Makes one that has ended; they are forgotten too often to have them ready."""
        self.good: set[str] = set()
        """Operations that have been answered with a 2xx."""


@pytest.fixture(scope="module")
def visits(house: Running) -> Visits:
    """Both tenants have left something behind that the other must not see."""
    for tenant in (ACME, ZETA):
        _leave_marks(house, tenant)
    trails = [_request_id(house, (ACME, ZETA)[n % 2]) for n in range(37)]
    # Odd numbers: else each would only ever ask about what is the other's.
    files = [_file_id(house, (ACME, ZETA)[n % 2]) for n in range(37)]
    batches = [_cancelled_batch(house, tenant) for tenant in (ACME, ZETA, ACME)]
    keys = [_key_id(house, n) for n in range(24)]
    responses = [_response_id(house, (ACME, ZETA)[n % 2]) for n in range(37)]
    talks = [_conversation_id(house, (ACME, ZETA)[n % 2]) for n in range(37)]
    stored = {"/v1/responses": responses, "/v1/conversations": talks}
    ids = {
        "/v1/trails": trails,
        "/v1/alerts/silences": [_silence_id(house) for _ in range(24)],
        "/v1/keys": keys,
        "/v1/files": files,
        "/v1/batches": batches,
        **stored,
    }
    return Visits(ids, lambda turn: _task_id(house, (ACME, ZETA)[turn % 2]))


def _leave_marks(house: Running, tenant: Tenant) -> None:
    text = f"hello, I am {tenant.secret}"
    asked: dict[str, dict[str, Any]] = {
        "/v1/chat/completions": {"model": "ok", "messages": [{"role": "user", "content": text}]},
        "/v1/embeddings": {"model": "vec", "input": text},
        "/agent/chat": {"message": text, "session_id": f"s-{tenant.mark}"},
    }
    for path, body in asked.items():
        tags = {"x-serve-app-cache-tags": tenant.mark}
        headers = tenant.headers | tags
        answer = requests.post(house.url + path, json=body, headers=headers, timeout=LIMIT_S)
        assert answer.status_code == 200, answer.text


def _key_id(house: Running, n: int) -> str:
    tenant = (ACME, ZETA)[n % 2]
    terms = {"tenant": tenant.name, "note": tenant.secret}
    answer = requests.post(
        f"{house.url}/v1/keys", json=terms, headers=_bearer(ADMIN_KEY), timeout=LIMIT_S
    )
    return str(answer.json()["id"])


def _silence_id(house: Running) -> str:
    body = {"matchers": [{"label": "alert", "value": "None"}], "for_s": 600}
    url = f"{house.url}/v1/alerts/silences"
    answer = requests.post(url, json=body, headers=_bearer(ADMIN_KEY), timeout=LIMIT_S)
    return str(answer.json()["id"])


def _request_id(house: Running, tenant: Tenant) -> str:
    """Of one that has a trail."""
    body = {"model": "ok", "messages": [{"role": "user", "content": tenant.secret}]}
    for _ in range(50):  # only so many a second are kept
        url = f"{house.url}/v1/chat/completions"
        answer = requests.post(url, json=body, headers=tenant.headers, timeout=LIMIT_S)
        made = answer.headers["x-request-id"]
        kept = f"{house.url}/v1/trails/{made}?wait_s=1"
        if requests.get(kept, headers=tenant.headers, timeout=LIMIT_S).ok:
            return made
    raise AssertionError("no trail is kept")


def _response_id(house: Running, tenant: Tenant) -> str:
    """One in the background: it may be cancelled, too."""
    body = {"model": "ok", "input": f"hello, I am {tenant.secret}", "background": True}
    url = f"{house.url}/v1/responses"
    return str(requests.post(url, json=body, headers=tenant.headers, timeout=LIMIT_S).json()["id"])


def _conversation_id(house: Running, tenant: Tenant) -> str:
    body = {"items": [{"role": "user", "content": tenant.secret}]}
    url = f"{house.url}/v1/conversations"
    return str(requests.post(url, json=body, headers=tenant.headers, timeout=LIMIT_S).json()["id"])


def _task_id(house: Running, tenant: Tenant) -> str:
    """One that has failed: it may be tried again, too."""
    asked = {"model": "none", "messages": [{"role": "user", "content": tenant.secret}]}
    body = {"path": "/v1/chat/completions", "body": asked}
    made = requests.post(
        f"{house.url}/v1/tasks", json=body, headers=tenant.headers, timeout=LIMIT_S
    ).json()
    result = f"{house.url}/agent/result/{made['task_id']}?wait_s=10"
    answer = requests.get(result, headers=tenant.headers, timeout=LIMIT_S)
    assert answer.json()["status"] == "failed", answer.text
    return str(made["task_id"])


def _file_id(house: Running, tenant: Tenant) -> str:
    body = {"model": "ok", "messages": [{"role": "user", "content": tenant.secret}]}
    line = {"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": body}
    answer = requests.post(
        f"{house.url}/v1/files",
        files={"file": (tenant.secret, json.dumps(line))},
        data={"purpose": "batch"},
        headers=tenant.headers,
        timeout=LIMIT_S,
    )
    return str(answer.json()["id"])


def _cancelled_batch(house: Running, tenant: Tenant) -> str:
    """One that was called off before it was over: it may be called off again."""
    asked = {"endpoint": "/v1/chat/completions", "completion_window": "24h"}
    asked |= {"input_file_id": _file_id(house, tenant), "metadata": {"a": tenant.secret}}
    url = f"{house.url}/v1/batches"
    for _ in range(20):
        made = requests.post(url, json=asked, headers=tenant.headers, timeout=LIMIT_S).json()
        cancel = f"{url}/{made['id']}/cancel"
        if requests.post(cancel, headers=tenant.headers, timeout=LIMIT_S).ok:
            return str(made["id"])
    raise AssertionError("every batch was over at once")


def _bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def test_the_document_is_served(house: Running) -> None:
    answer = requests.get(f"{house.url}/openapi.json", timeout=LIMIT_S)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == DOCUMENT
    schema.validate()


def test_the_document_has_every_route(house: Running) -> None:
    """But the console's: its page, and what only that page asks. Nothing is promised of them."""
    documented = {
        (method.upper(), path)
        for path, methods in DOCUMENT["paths"].items()
        for method in METHODS
        if method in methods
    }
    assert documented == {
        (method, path)
        for method, path in house.house.app.router.listed
        if not (path == "/" or f"{path}/".startswith("/console/"))
    }


def _asking_a_key() -> Iterator[tuple[str, str]]:
    for path, methods in DOCUMENT["paths"].items():
        for method in METHODS:
            if method in methods and methods[method]["security"]:
                yield method, re.sub(r"\{\w+\}", "0123456789ab", path)


@pytest.mark.parametrize(("method", "path"), list(_asking_a_key()))
def test_nothing_is_told_without_a_key(house: Running, method: str, path: str) -> None:
    bodies: dict[str, Any] = {
        "/v1/embeddings": {"model": "vec", "input": "x"},
        "/agent/chat": {"message": "x"},
        "/v1/completions": {"model": "ok", "prompt": "x"},
    }
    chat = {"model": "ok", "max_tokens": 5, "messages": [{"role": "user", "content": "x"}]}
    body = {"request": chat} if path == "/v1/cache/warm" else bodies.get(path, chat)
    for headers in ({}, _bearer("sk-unknown"), {"x-api-key": "sk-unknown"}):
        answer = requests.request(
            method, house.url + path, json=body, headers=headers, timeout=LIMIT_S
        )
        assert answer.status_code in (401, 403), answer.text


@schema.parametrize()
def test_every_operation(case: schemathesis.Case, house: Running, visits: Visits) -> None:
    label, path = case.operation.label, case.operation.path
    turn = _turn(case)
    me, other = (ACME, ZETA) if turn % 2 else (ZETA, ACME)
    of_admins = path.startswith(ADMINS) and path != "/v1/cache/warm"
    is_admin = (of_admins or label == "DELETE /v1/tasks") and turn % 5 != 0
    _make_pointed(case, turn, me, other, visits)
    headers = _bearer(ADMIN_KEY if is_admin else me.key)
    answer = case.call(base_url=house.url, headers=headers, timeout=LIMIT_S)
    if answer.status_code < 300:
        visits.good.add(label)
    if not is_admin:
        assert other.secret not in answer.text
        assert other.mark not in answer.text or other.mark in _parts(case), answer.text
        if case.query and case.query.get("tenant") == other.name:
            assert answer.status_code in (400, 403, 405), answer.text
    excluded = [positive_data_acceptance]
    # A wrong id may have been made one that exists, above; in a form all is text, also what was
    # to be something else.
    if "{id}" in path or "{channel}" in path or label == "POST /v1/files":
        excluded.append(negative_data_rejection)
    case.validate_response(answer, headers=headers, excluded_checks=excluded)


def _turn(case: schemathesis.Case) -> int:
    """A number that is always the same for a case: by it, cases differ in who asks, and what."""
    return zlib.crc32(_parts(case).encode("utf-8", "surrogatepass"))


def _parts(case: schemathesis.Case) -> str:
    """All that is sent."""
    parts = [dict(part or {}) for part in (case.path_parameters, case.query, case.headers)]
    return repr((parts, case.body))


def _make_pointed(
    case: schemathesis.Case, turn: int, me: Tenant, other: Tenant, visits: Visits
) -> None:
    """Names that exist in place of made-up ones, where those were well-formed: models, keys, and
    what is the other tenant's."""
    body = case.body = copy.deepcopy(case.body)  # cases share their parts
    if isinstance(body, dict):
        if turn % 2 and isinstance(body.get("request"), dict):
            body["request"] = {"model": "ok", "messages": [{"role": "user", "content": me.secret}]}
        _name_model(body.get("request", body), case.operation.path)
        if isinstance(body.get("input_file_id"), str):
            files = visits.ids["/v1/files"]
            body["input_file_id"] = files[turn % len(files)]
        if turn % 3 == 0 and body.get("session_id"):
            body["session_id"] = f"s-{other.mark}"
        if turn % 3 == 1 and isinstance(body.get("message"), str):
            body["message"] = f"hello, I am {me.secret}"
        if turn % 2 and isinstance(body.get("body"), dict):
            body |= {"path": "/agent/chat", "body": {"message": me.secret}}
    if turn % 4 and "channel" in case.path_parameters:
        case.path_parameters["channel"] = "ops"
    if turn % 4 and case.operation.path.startswith(TASKS):
        case.path_parameters["id"] = visits.task(turn // 4)
    elif turn % 4 and "/{id}" in case.operation.path:
        ids = visits.ids.get(case.operation.path.partition("/{")[0], ["ok"])
        case.path_parameters["id"] = ids[turn % len(ids)]
        if "item_id" in case.path_parameters:
            case.path_parameters["item_id"] = "msg_0_0"
    if turn % 3 == 0 and case.query and isinstance(case.query.get("tenant"), str):
        case.query["tenant"] = other.name


def _name_model(body: Any, path: str) -> None:
    if isinstance(body, dict) and isinstance(body.get("model"), str) and body["model"]:
        vectors = path == "/v1/embeddings" or body.get("endpoint") == "embeddings"
        body["model"] = "vec" if vectors else "ok"


def test_every_operation_has_been_answered_well(visits: Visits) -> None:
    """Else the test above would have tried refusals only."""
    if not visits.good:
        pytest.skip("the operations were not run")
    names = {f"{m.upper()} {p}" for p, of in DOCUMENT["paths"].items() for m in METHODS if m in of}
    assert names == visits.good


def test_no_model_read_what_two_tenants_said(
    visits: Visits, provider_process: ScriptedProvider
) -> None:
    """A conversation that went to a backend was of one tenant alone."""
    asked = [str(entry["body"]) for entry in provider_process.log()]
    assert sum(ACME.secret in body for body in asked) > 1
    assert not [body for body in asked if ACME.secret in body and ZETA.secret in body]
