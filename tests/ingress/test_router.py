"""Paths with and without values, and what is said of those that lead nowhere."""

from __future__ import annotations

from typing import Any

import pytest

from serve_app.core.errors import MethodNotAllowed, NotFound
from serve_app.ingress.http import Exchange
from serve_app.ingress.router import Route, Router


async def _handle(exchange: Exchange) -> None:
    raise AssertionError("only looked for")


def exchange(method: str, path: str) -> Exchange:
    async def nothing(*_: Any) -> Any:
        raise AssertionError("only looked for")

    return Exchange({"method": method, "path": path, "headers": []}, nothing, nothing)


ROUTES = [
    ("GET", "/v1/things"),
    ("POST", "/v1/things"),
    ("GET", "/v1/things/top"),
    ("GET", "/v1/things/{id}"),
    ("POST", "/v1/things/{id}/turn"),
    ("GET", "/v1/models/{id...}"),
]
ROUTER = Router(Route(method, template, _handle) for method, template in ROUTES)


@pytest.mark.parametrize(
    ("method", "path", "template", "params"),
    [
        ("GET", "/v1/things", "/v1/things", {}),
        ("HEAD", "/v1/things", "/v1/things", {}),
        ("POST", "/v1/things", "/v1/things", {}),
        ("GET", "/v1/things/top", "/v1/things/top", {}),
        ("GET", "/v1/things/topper", "/v1/things/{id}", {"id": "topper"}),
        ("POST", "/v1/things/a b/turn", "/v1/things/{id}/turn", {"id": "a b"}),
        ("GET", "/v1/models/openai/gpt-4o", "/v1/models/{id}", {"id": "openai/gpt-4o"}),
        ("GET", "/v1/models/" + "m" * 999, "/v1/models/{id}", {"id": "m" * 999}),
    ],
)
def test_paths_and_their_values(
    method: str, path: str, template: str, params: dict[str, str]
) -> None:
    found = exchange(method, path)
    route = ROUTER.find(found)
    assert route.method == ("GET" if method == "HEAD" else method)
    assert (found.route, found.params) == (template, params)


@pytest.mark.parametrize(
    "path",
    ["/", "/v1", "/v1/thing", "/v1/things/", "/v1/things//turn", "/v1/things/a/turn/b",
     "/v1/things/a/b", "/v1/things/" + "i" * 257, "/V1/things", "//v1/things"],
)  # fmt: skip
def test_paths_that_lead_nowhere(path: str) -> None:
    with pytest.raises(NotFound, match="there are /v1/things, /v1/things/top"):
        ROUTER.find(exchange("GET", path))


def test_methods_that_a_path_does_not_take() -> None:
    with pytest.raises(MethodNotAllowed) as refused:
        ROUTER.find(exchange("DELETE", "/v1/things"))
    assert refused.value.headers == {"allow": "GET, POST, HEAD"}
    found = exchange("GET", "/v1/things/a/turn")
    with pytest.raises(MethodNotAllowed):
        ROUTER.find(found)
    assert found.route == "/v1/things/{id}/turn", "metrics name it all the same"


def test_routes_that_contradict_each_other() -> None:
    with pytest.raises(ValueError, match="two routes"):
        Router([Route("GET", "/a", _handle), Route("GET", "/a", _handle)])
    with pytest.raises(ValueError, match="two names"):
        Router([Route("GET", "/a/{b}", _handle), Route("GET", "/a/{c}/d", _handle)])
