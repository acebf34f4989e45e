"""The cache's routes: who may purge and see what, and what cannot be asked."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from ingress.pantry_world import World, call

from serve_app.core.kept import Lookup, Question
from serve_app.ingress.pantry import SETTLE_S
from serve_app.store.embedded import EmbeddedValkey

FP = "ab" * 32


@pytest.fixture
async def world(clean_valkey: EmbeddedValkey) -> AsyncIterator[World]:
    world = World(clean_valkey.url)
    await world.keep(FP, "acme", tags=("faq",))
    await world.keep("other", "acme")
    await world.keep(FP, "other", tags=("faq",))
    yield world
    await world.close()


async def there(world: World) -> list[bool]:
    """The answers of the fixture, in its order."""
    return [await world.has(*name) for name in ((FP, "acme"), ("other", "acme"), (FP, "other"))]


@pytest.mark.parametrize(
    ("key", "query", "left"),
    [
        ("a-key", "tag=faq", [False, True, True]),
        ("a-key", f"fingerprint={FP}", [False, True, True]),
        ("a-key", "model=alpha%2Fmini", [False, False, True]),
        ("a-key", "tenant=acme", [False, False, True]),
        ("a-key", "tenant=acme&tag=news", [True, True, True]),
        ("boss", "tenant=other", [True, True, False]),
        ("boss", "tag=faq", [True, True, True]),
        ("boss", "all=true&tag=faq", [False, True, False]),
        ("boss", "all=true", [False, False, False]),
    ],
)
async def test_a_purge_takes_what_it_names_and_only_of_whom_it_may(
    world: World, key: str, query: str, left: list[bool]
) -> None:
    status, said = await call(world, "DELETE", f"/v1/cache?{query}", key=key)
    assert (status, said) == (200, {"entries": left.count(False)})
    assert await there(world) == left


@pytest.mark.parametrize(
    "query",
    ["tenant=other", "all=true", "all=true&model=mini", "tenant=OTHER%7D%3A*", "tenant=*"],
)
async def test_another_tenants_answers_are_an_admins(world: World, query: str) -> None:
    status, said = await call(world, "DELETE", f"/v1/cache?{query}")
    assert (status, said["error"]["code"]) == (403, "admin_required")
    assert await there(world) == [True] * 3


@pytest.mark.parametrize(
    "query",
    [
        "",
        "all=false",
        "all=yes",
        "all=true&tenant=acme",
        "fingerprint=ab*",
        "everything=1",
        "tag=" + "x" * 300,
        "tag=%ff",
        "&".join(f"tag={n}" for n in range(20)),
    ],
)
async def test_a_purge_must_say_what_it_means(world: World, query: str) -> None:
    status, _ = await call(world, "DELETE", f"/v1/cache?{query}", key="boss")
    assert status == 400
    assert await there(world) == [True] * 3


async def test_who_is_unknown_purges_and_sees_nothing(world: World) -> None:
    asked = [("DELETE", "/v1/cache?all=true"), ("GET", "/v1/cache/top"), ("POST", "/v1/cache/warm")]
    for method, path in asked:
        status, _ = await call(world, method, path, key="nobody", body=warm_body())
        assert status == 401


async def test_what_is_asked_after_a_purge_was_answered_is_kept(
    clean_valkey: EmbeddedValkey,
) -> None:
    world = World(clean_valkey.url, settle_s=SETTLE_S)
    await call(world, "DELETE", "/v1/cache?tenant=acme")
    status, said = await call(world, "POST", "/v1/cache/warm", body=warm_body())
    assert (status, said["status"]) == (200, "stored")
    await world.close()


async def test_a_caller_sees_its_own_tenants_questions(world: World) -> None:
    for tenant, times in (("acme", 2), ("other", 1)):
        asked = Lookup(FP, tenant, question=Question("p", f"{tenant}'s question"))
        await world.cache.lookup([asked] * times)
    _, said = await call(world, "GET", "/v1/cache/top")
    hot = {"fingerprint": FP, "text": "acme's question", "asked": 2, "hits": 2}
    assert said == {"object": "list", "data": [hot]}
    status, _ = await call(world, "GET", "/v1/cache/top?tenant=other")
    assert status == 403
    _, said = await call(world, "GET", "/v1/cache/top?tenant=other&limit=1", key="boss")
    assert [item["text"] for item in said["data"]] == ["other's question"]


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "x", "", "٣", "9" * 20])
async def test_a_limit_is_a_number_in_its_bounds(world: World, limit: str) -> None:
    status, said = await call(world, "GET", f"/v1/cache/top?limit={limit}".replace("٣", "%D9%A3"))
    # An empty term is as good as none.
    assert status == (200 if limit == "" else 400), said


def warm_body(**changes: Any) -> bytes:
    request = {"model": "auto", "messages": [{"role": "user", "content": "Why?"}]}
    return json.dumps({"request": request, "answer": "Because.", **changes}).encode()


async def test_a_question_is_warmed_up_once(world: World) -> None:
    said = [(await call(world, "POST", "/v1/cache/warm", body=warm_body()))[1] for _ in range(2)]
    assert [one["status"] for one in said] == ["stored", "present"]
    assert said[0]["fingerprint"] == said[1]["fingerprint"]
    assert await world.has(said[0]["fingerprint"], "acme")
    assert not await world.has(said[0]["fingerprint"], "other")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"{", None),
        (b"\xff", None),
        (warm_body(answer=""), "answer"),
        (warm_body(tags=["x"] * 17), "tags"),
        (warm_body(tags=[""]), "tags[0]"),
        (warm_body(request=1), "request"),
        (warm_body(request={"model": "m", "messages": []}), "request.messages"),
        (b'{"answer": "x"}', "request"),
    ],
)
async def test_a_warm_up_that_makes_no_sense_names_the_field(
    world: World, body: bytes, param: str | None
) -> None:
    status, said = await call(world, "POST", "/v1/cache/warm", body=body)
    assert (status, said["error"]["param"]) == (400, param)
    assert world.asked == []
