"""The service against its own OpenAPI document: what it says it takes, and all that it does not.

Schemathesis makes requests from the document, good and bad. Two tenants ask, each with names,
prompts, sessions and tags that hold its mark; the ids in requests are often the other's.
"""

from __future__ import annotations

import copy
import json
import zlib
from collections.abc import Iterator
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
ADMINS = ("/v1/keys", "/v1/cache")

CONFIG = schemathesis.Config.from_dict(
    {
        "seed": 20260,
        "generation": {
            "deterministic": True, "max-examples": 25, "with-security-parameters": False,
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
    """What was asked so far, and the keys there are to ask about."""

    def __init__(self, key_ids: list[str]) -> None:
        self.key_ids = key_ids
        self.good: set[str] = set()
        """Operations that have been answered with a 2xx."""


@pytest.fixture(scope="module")
def visits(house: Running) -> Visits:
    """Both tenants have left something behind that the other must not see."""
    for tenant in (ACME, ZETA):
        _leave_marks(house, tenant)
    return Visits([_key_id(house, n) for n in range(24)])


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


def _bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def test_the_document_is_served(house: Running) -> None:
    answer = requests.get(f"{house.url}/openapi.json", timeout=LIMIT_S)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == DOCUMENT
    schema.validate()


def test_the_document_has_every_route(house: Running) -> None:
    app = house.house.app
    served = {*app._work, *app._office, *app._house}
    documented = {path for path in DOCUMENT["paths"] if "{" not in path}
    assert documented == served | {"/v1/keys"}


def _asking_a_key() -> Iterator[tuple[str, str]]:
    for path, methods in DOCUMENT["paths"].items():
        for method in METHODS:
            if method in methods and methods[method]["security"]:
                yield method, path.replace("{id}", "0123456789ab")


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
    is_admin = path.startswith(ADMINS) and path != "/v1/cache/warm" and turn % 5 != 0
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
    if "{id}" in path:  # a wrong id may have been made one that exists, above
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
        if turn % 3 == 0 and body.get("session_id"):
            body["session_id"] = f"s-{other.mark}"
        if turn % 3 == 1 and isinstance(body.get("message"), str):
            body["message"] = f"hello, I am {me.secret}"
    if turn % 4 and "/{id}" in case.operation.path:
        of_keys = "/v1/keys" in case.operation.path
        case.path_parameters["id"] = visits.key_ids[turn % len(visits.key_ids)] if of_keys else "ok"
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
