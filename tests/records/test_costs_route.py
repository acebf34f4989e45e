"""GET /v1/costs: periods, groups, and who may see what."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from ingress.asgi_world import call
from records.costs_world import CostsWorld, record
from records.records_world import charge

NOW = int(time.time())


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CostsWorld]:
    await asyncio.to_thread(
        record,
        tmp_path,
        [
            charge(tenant="acme", user="ann", model="a", cost_micro_usd=5),
            charge(tenant="acme", user="bob", key_id="k1", model="b", cost_micro_usd=70),
            charge(tenant="zeta", key_id="k1", model="b", cost_micro_usd=900, is_batch=True),
            charge(tenant="zeta", key_id="k2", cost_micro_usd=0, cache_level="l1",
                   saved_micro_usd=30),
        ],
    )  # fmt: skip
    world = CostsWorld(tmp_path)
    yield world
    await world.close()


async def costs(world: CostsWorld, query: str, key: str = "boss") -> Any:
    status, said = await call(world, "GET", f"/v1/costs?{query}", key=key)
    assert status == 200, said
    return said


async def test_an_admin_sees_every_tenant_the_dearest_first(world: CostsWorld) -> None:
    said = await costs(world, "group_by=tenant,model")
    assert [(row["tenant"], row["model"], row["cost_micro_usd"]) for row in said["data"]] == [
        ("zeta", "b", 900), ("acme", "b", 70), ("acme", "a", 5), ("zeta", "m", 0),
    ]  # fmt: skip
    total = said["total"]
    assert (total["requests"], total["cost_usd"], total["saved_usd"]) == (
        4, "0.000975", "0.000030",
    )  # fmt: skip
    assert (total["cached"], total["cached_prompt_tokens"], total["prompt_tokens"]) == (1, 10, 30)
    assert said["to"] - said["from"] == pytest.approx(7 * 86_400, abs=3600)


async def test_an_admin_may_look_at_one_tenant(world: CostsWorld) -> None:
    said = await costs(world, "group_by=batch&tenant=zeta")
    assert [(row["batch"], row["cost_micro_usd"]) for row in said["data"]] == [
        ("true", 900), ("false", 0),
    ]  # fmt: skip


@pytest.mark.parametrize(("key", "cost"), [("a-key", 5), ("z-key", 900)])
async def test_a_caller_sees_what_its_own_key_or_user_spent(
    world: CostsWorld, key: str, cost: int
) -> None:
    said = await costs(world, "group_by=tenant", key)
    assert said["total"]["cost_micro_usd"] == cost
    assert len(said["data"]) == 1


async def test_hours_and_days_are_in_their_order(world: CostsWorld) -> None:
    said = await costs(world, "group_by=hour,day")
    [row] = said["data"]
    assert row["hour"].startswith(row["day"])
    assert row["hour"].endswith(":00:00Z")


async def test_a_period_ends_where_it_is_said_to(world: CostsWorld) -> None:
    assert (await costs(world, f"to={NOW - 7200}&group_by=day"))["data"] == []
    assert (await costs(world, f"from={NOW + 7200}"))["total"]["requests"] == 0
    assert (await costs(world, "from=2020-01-01"))["total"]["requests"] == 4
    assert (await costs(world, "from=0&to=0"))["total"]["requests"] == 0


async def test_more_groups_than_wanted_is_said(world: CostsWorld) -> None:
    said = await costs(world, "group_by=model&limit=2")
    assert (len(said["data"]), said["is_complete"]) == (2, False)
    assert said["total"]["requests"] == 4


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("group_by=colour", "group_by"), ("group_by=", "group_by"), ("from=soon", "from"),
        ("to=2026-13-01", "to"), ("limit=0", "limit"), ("groupby=day", "groupby"),
        ("group_by=hour,day,tenant,team,user,key,model", "group_by"), ("from=", "from"),
    ],
)  # fmt: skip
async def test_what_cannot_be_is_refused(world: CostsWorld, query: str, param: str) -> None:
    status, said = await call(world, "GET", f"/v1/costs?{query}", key="boss")
    assert (status, said["error"]["param"]) == (400, param)


async def test_who_may_not(world: CostsWorld) -> None:
    status, said = await call(world, "GET", "/v1/costs?tenant=acme", key="a-key")
    assert (status, said["error"]["code"]) == (403, "admin_required")
    status, _ = await call(world, "GET", "/v1/costs", key="")
    assert status == 401
