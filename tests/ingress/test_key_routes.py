"""The routes of API keys: who may use them, what they say, what they refuse and what is logged."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from ingress.asgi_world import call
from ingress.keys_world import KeysWorld

from serve_app.store.embedded import EmbeddedValkey

ID = "0123456789ab"


@pytest.fixture
async def world(clean_valkey: EmbeddedValkey) -> AsyncIterator[KeysWorld]:
    world = KeysWorld(clean_valkey.url)
    yield world
    await world.close()


async def ask(
    world: KeysWorld, method: str, path: str, body: Any = None, *, key: str = "boss"
) -> tuple[int, Any]:
    sent = b"" if body is None else json.dumps(body).encode()
    return await call(world, method, path, key=key, body=sent)


async def make(world: KeysWorld, **terms: Any) -> dict[str, Any]:
    status, said = await ask(world, "POST", "/v1/keys", {"tenant": "acme", **terms})
    assert status == 200, said
    made: dict[str, Any] = said
    return made


async def test_a_key_lives(world: KeysWorld) -> None:
    made = await make(world, user="ann", models=["gpt-*"], limits={"parallel": 2}, note="ann's")
    key = made.pop("key")
    assert world.knows(key)
    assert "sha256" not in made
    assert await ask(world, "GET", f"/v1/keys/{made['id']}") == (200, made)

    _, changed = await ask(world, "PATCH", f"/v1/keys/{made['id']}", {"limits": {}, "note": "x"})
    assert changed == {**made, "limits": {}, "note": "x"}

    _, new = await ask(world, "POST", f"/v1/keys/{made['id']}/rotate", {"grace_s": 60})
    assert (world.knows(key), world.knows(new["key"])) == (True, True)
    assert (new["replaces"], new["user"], new["note"]) == (made["id"], "ann", "x")

    _, disabled = await ask(world, "POST", f"/v1/keys/{made['id']}/disable")
    assert (disabled["disabled"], disabled["replaced_by"]) == (True, new["id"])
    assert not world.knows(key)
    await ask(world, "POST", f"/v1/keys/{made['id']}/enable")
    assert world.knows(key)

    _, gone = await ask(world, "DELETE", f"/v1/keys/{new['id']}")
    assert (gone["id"], world.knows(new["key"])) == (new["id"], False)
    assert (await ask(world, "GET", f"/v1/keys/{new['id']}"))[0] == 404


async def test_a_list_has_pages_and_no_secrets(world: KeysWorld) -> None:
    made = [await make(world, tenant=tenant) for tenant in ("a", "a", "b")]
    _, first = await ask(world, "GET", "/v1/keys?limit=2")
    _, rest = await ask(world, "GET", f"/v1/keys?limit=2&after={first['next']}")
    assert (len(first["data"]), len(rest["data"]), rest["next"]) == (2, 1, "")
    ids = {key["id"] for key in first["data"] + rest["data"]}
    assert ids == {key["id"] for key in made}
    _, of_a = await ask(world, "GET", "/v1/keys?tenant=a")
    assert {key["id"] for key in of_a["data"]} == {key["id"] for key in made[:2]}
    assert not any(key["key"] in json.dumps([first, rest, of_a]) for key in made)


REQUESTS = [
    ("POST", "/v1/keys", {"tenant": "acme"}),
    ("GET", "/v1/keys", None),
    ("GET", f"/v1/keys/{ID}", None),
    ("PATCH", f"/v1/keys/{ID}", {"note": "x"}),
    ("DELETE", f"/v1/keys/{ID}", None),
    ("POST", f"/v1/keys/{ID}/rotate", None),
    ("POST", f"/v1/keys/{ID}/disable", None),
    ("POST", f"/v1/keys/{ID}/enable", None),
]


@pytest.mark.parametrize(("method", "path", "body"), REQUESTS)
@pytest.mark.parametrize("key", ["a-key", "nobody", "", "Boss", "boss "])
async def test_only_admins_get_anywhere(
    world: KeysWorld, method: str, path: str, body: Any, key: str
) -> None:
    status, said = await ask(world, method, path, body, key=key)
    if key == "boss ":  # blanks around a key are none of it
        assert status != 403
        return
    assert (status, said["error"]["code"]) == (403, "admin_required")


async def test_a_key_that_was_made_makes_no_keys(world: KeysWorld) -> None:
    made = await make(world)
    status, _ = await ask(world, "POST", "/v1/keys", {"tenant": "acme"}, key=made["key"])
    assert status == 403


@pytest.mark.parametrize(("method", "path", "body"), [r for r in REQUESTS if ID in r[1]])
async def test_an_unknown_key_is_said(world: KeysWorld, method: str, path: str, body: Any) -> None:
    status, said = await ask(world, method, path, body)
    assert (status, said["error"]["code"]) == (404, "key_not_found")


@pytest.mark.parametrize(
    ("terms", "param"),
    [
        ({}, "tenant"),
        ({"tenant": ""}, "tenant"),
        ({"tenant": "a\n"}, "tenant"),
        ({"tenant": "x" * 65}, "tenant"),
        ({"tenant": "a", "models": [""]}, "models[0]"),
        ({"tenant": "a", "models": "gpt"}, "models"),
        ({"tenant": "a", "models": ["m"] * 65}, "models"),
        ({"tenant": "a", "paths": ["v1"]}, "paths[0]"),
        ({"tenant": "a", "limits": {"rpm": 1}}, "limits.rpm"),
        ({"tenant": "a", "limits": {"budget": {"day": -1}}}, "limits.budget.day"),
        ({"tenant": "a", "priority": "high"}, "priority"),
        ({"tenant": "a", "expires_at": 1}, "expires_at"),
        ({"tenant": "a", "expires_at": -1}, "expires_at"),
        ({"tenant": "a", "expires": 1}, "expires"),
        ({"tenant": "a", "note": "x" * 201}, "note"),
        ({"tenant": "a", "disabled": True}, "disabled"),
        ([], None),
    ],
)
async def test_terms_that_make_no_sense_name_the_field(
    world: KeysWorld, terms: Any, param: str | None
) -> None:
    status, said = await ask(world, "POST", "/v1/keys", terms)
    assert (status, said["error"]["param"]) == (400, param), said
    assert (await ask(world, "GET", "/v1/keys"))[1]["data"] == []


@pytest.mark.parametrize(
    ("method", "path", "body", "param"),
    [
        ("PATCH", "", {}, None),
        ("PATCH", "", {"tenant": "other"}, "tenant"),
        ("PATCH", "", {"expires_at": 1}, "expires_at"),
        ("POST", "/rotate", {"grace_s": -1}, "grace_s"),
        ("POST", "/rotate", {"grace_s": 10**9}, "grace_s"),
        ("POST", "/rotate", {"grace": 1}, "grace"),
    ],
)
async def test_changes_that_make_no_sense_name_the_field(
    world: KeysWorld, method: str, path: str, body: Any, param: str | None
) -> None:
    made = await make(world)
    status, said = await ask(world, method, f"/v1/keys/{made['id']}{path}", body)
    assert (status, said["error"]["param"]) == (400, param)
    assert (await ask(world, "GET", f"/v1/keys/{made['id']}"))[1]["note"] == ""


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=x", "after=x", "sha256=1", "tenant=%ff", "a=1&" * 9]
)
async def test_a_query_that_makes_no_sense(world: KeysWorld, query: str) -> None:
    assert (await ask(world, "GET", f"/v1/keys?{query}"))[0] == 400


@pytest.mark.parametrize("body", [b"{", b"\xff", b'{"tenant": "\\ud800"}', b"[" * 5000])
async def test_a_body_that_is_no_json(world: KeysWorld, body: bytes) -> None:
    status, _ = await call(world, "POST", "/v1/keys", key="boss", body=body)
    assert status == 400


async def test_a_long_body_is_not_read(world: KeysWorld) -> None:
    status, _ = await ask(world, "POST", "/v1/keys", {"tenant": "a", "note": "x" * 100_000})
    assert status == 413


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", "/v1/keys", 405),
        ("POST", f"/v1/keys/{ID}", 405),
        ("GET", f"/v1/keys/{ID}/rotate", 405),
        ("GET", f"/v1/keys/{ID}/show", 404),
        ("GET", "/v1/keys/", 404),
        ("GET", "/v1/keys/..%2f", 404),
        ("GET", f"/v1/keys/{ID.upper()}", 404),
        ("GET", f"/v1/keys/{ID}\n", 404),
    ],
)
async def test_wrong_ways(world: KeysWorld, method: str, path: str, status: int) -> None:
    assert (await ask(world, method, path))[0] == status


async def test_every_change_is_in_the_log_and_no_key(
    world: KeysWorld, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "serve_app.ingress.keys")
    made = await make(world, tenant="acme", user="ann")
    path = f"/v1/keys/{made['id']}"
    _, new = await ask(world, "POST", f"{path}/rotate", {"grace_s": 5})
    await ask(world, "PATCH", path, {"note": "x"})
    await ask(world, "POST", f"{path}/disable")
    await ask(world, "POST", f"{path}/enable")
    await ask(world, "DELETE", path)
    await ask(world, "GET", "/v1/keys")
    said = [record.getMessage() for record in caplog.records]
    words = ["created", "made in place of", "changed", "disabled", "enabled", "deleted"]
    assert len(said) == len(words)
    assert all(f"was {word}" in line for word, line in zip(words, said, strict=True))
    assert all("by admin " in line and "'acme'" in line for line in said)
    assert made["key"] not in caplog.text
    assert new["key"] not in caplog.text


async def test_without_redis_it_is_said(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path / "v")
    await asyncio.to_thread(server.start)
    world = KeysWorld(server.url)
    try:
        made = await make(world)
        await asyncio.to_thread(server.stop)
        for method, path, body in (
            ("POST", "/v1/keys", {"tenant": "a"}),
            ("GET", "/v1/keys", None),
            ("POST", f"/v1/keys/{made['id']}/disable", None),
        ):
            status, said = await ask(world, method, path, body)
            assert (status, said["error"]["code"]) == (503, "keys_unavailable")
        assert world.knows(made["key"])
    finally:
        await world.close()
        await asyncio.to_thread(server.stop)
