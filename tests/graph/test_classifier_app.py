"""A classifier in an application of its own, and gateways whose rules ask it: one Ray, a model
that was trained for it, filters inside the ingress and as a deployment."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
import ray
from instances import free_port
from models.tiny_classifier import ATTACK, HARMLESS, make
from provider.fixtures import ScriptedProvider
from ray import serve
from ray.serve.context import _get_global_client
from ray.serve.schema import ServeDeploySchema

from serve_app.config.deployment import CLASSIFIER_BUILDER, GATEWAY_BUILDER
from serve_app.core.errors import Overloaded
from serve_app.deployments.classifier import Figures
from serve_app.deployments.classifier_hop import RemoteClassifier, classifier_app
from serve_app.store.embedded import EmbeddedValkey

pytestmark = [pytest.mark.model, pytest.mark.timeout(600)]

LIMIT_S = 120
_figures = msgspec.msgpack.Decoder(Figures)


def rule(name: str, source: str, **fields: Any) -> dict[str, Any]:
    limits = {"timeout_s": 20, "where": ["input"]}
    return {"name": name, "kind": "classifier", "source": source, **limits, **fields}


POLICY = {
    "admission": {"require_key": False},
    "routing": {"default": ["p/ok"], "embedding": ["p/embed"]},
    "filter": {
        "injection": "off",
        "rules": [
            rule("guard", "app:guard"),
            rule("away-passes", "app:absent"),
            rule("away-blocks", "app:absent", if_away="block", paths=["/v1/embeddings"]),
        ],
    },
}


def classifier(path: Path) -> dict[str, Any]:
    args = {"path": str(path), "device": "cpu", "cpus": 0.1, "max_batch": 8, "max_waiting": 2000}
    return {
        "name": "guard", "route_prefix": None, "import_path": CLASSIFIER_BUILDER, "args": args,
    }  # fmt: skip


def gateway(placement: str, provider_url: str, redis_url: str) -> dict[str, Any]:
    models = [
        {"id": "ok", "context": 8000},
        {"id": "embed", "kind": "embedding", "context": 8000},
    ]
    args = {
        "backends": [{"name": "p", "base_url": provider_url, "models": models}],
        "redis": {"url": redis_url},
        "placement": {"filter": placement},
    }
    names = ["Gateway", "Filter"] if placement == "deployed" else ["Gateway"]
    small = {"ray_actor_options": {"num_cpus": 0.1}, "user_config": POLICY}
    return {
        "name": "gateway",
        "route_prefix": "/",
        "import_path": GATEWAY_BUILDER,
        "args": args,
        "deployments": [{"name": name, **small} for name in names],
    }


class Town:
    """A cluster with what runs on it."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    async def run(self, *apps: dict[str, Any]) -> None:
        """As `serve deploy` does: these applications and no others, until all of them run."""
        schema = ServeDeploySchema.model_validate({"applications": list(apps)})
        await asyncio.to_thread(_get_global_client().deploy_apps, schema)
        await until(partial(self._runs, {app["name"] for app in apps}))

    async def _runs(self, names: set[str]) -> bool:
        apps = (await asyncio.to_thread(serve.status)).applications
        failed = {name: app.message for name, app in apps.items() if "FAILED" in app.status.value}
        assert not failed, failed
        return apps.keys() == names and all(app.status.value == "RUNNING" for app in apps.values())


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not await holds():
            await asyncio.sleep(0.05)


async def figures() -> Figures:
    handle = await asyncio.to_thread(serve.get_app_handle, "guard")
    return _figures.decode(await handle.options(method_name="figures_raw").remote())


@pytest.fixture(scope="module")
def town() -> Iterator[Town]:
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(prefix="sa-") as folder:
        port = free_port()
        patch.setenv("RAY_AUTH_MODE", "disabled")
        ray.init(num_cpus=2, include_dashboard=False, _temp_dir=folder, log_to_driver=False)
        try:
            serve.start(proxy_location="HeadOnly", http_options={"port": port})
            yield Town(port)
        finally:
            serve.shutdown()
            ray.shutdown()


@pytest.fixture(scope="module")
def guard_app() -> Iterator[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="sa-") as folder:
        make(Path(folder))
        yield classifier(Path(folder))


@pytest.fixture(scope="module", params=["fused", "deployed"])
def apps(
    request: pytest.FixtureRequest,
    town: Town,
    guard_app: dict[str, Any],
    valkey: EmbeddedValkey,
    provider_process: ScriptedProvider,
) -> list[dict[str, Any]]:
    """The classifier and a gateway, which runs its filters within or as a deployment."""
    apps = [guard_app, gateway(request.param, provider_process.base_url, valkey.url)]
    asyncio.run(town.run(*apps))
    return apps


@pytest.fixture
async def http(town: Town, apps: list[dict[str, Any]]) -> AsyncIterator[aiohttp.ClientSession]:
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(town.url, timeout=timeout) as session:
        yield session


@pytest.fixture
async def guard(town: Town, guard_app: dict[str, Any]) -> RemoteClassifier:
    """The classifier as a gateway reaches it."""
    if "guard" not in (await asyncio.to_thread(serve.status)).applications:
        await town.run(guard_app)
    return classifier_app("guard")


async def chat(http: aiohttp.ClientSession, text: str) -> tuple[int, Any]:
    body = {"model": "p/ok", "messages": [{"role": "user", "content": text}]}
    async with http.post("/v1/chat/completions", json=body) as answer:
        return answer.status, await answer.json()


async def test_an_injection_is_blocked_and_a_harmless_text_passes(
    http: aiohttp.ClientSession,
) -> None:
    status, body = await chat(http, ATTACK)
    assert status == 403
    assert "guard" in str(body)
    assert ATTACK not in str(body)
    assert (await chat(http, HARMLESS))[0] == 200


async def test_an_injection_in_the_middle_of_a_long_text_is_blocked(
    http: aiohttp.ClientSession,
) -> None:
    around = f"{HARMLESS} " * 60
    assert (await chat(http, around + ATTACK + around))[0] == 403
    assert (await chat(http, around))[0] == 200


async def test_what_a_classifier_that_is_away_means_is_the_rule_s_word(
    http: aiohttp.ClientSession,
) -> None:
    assert (await chat(http, HARMLESS))[0] == 200  # `away-passes` looked at it
    asked = {"model": "p/embed", "input": HARMLESS}
    async with http.post("/v1/embeddings", json=asked) as answer:
        assert answer.status == 403
        assert "away-blocks" in await answer.text()


async def test_requests_at_the_same_time_get_their_own_answers(http: aiohttp.ClientSession) -> None:
    texts = [ATTACK if at % 3 else HARMLESS for at in range(60)]
    answers = await asyncio.gather(*(chat(http, text) for text in texts))
    assert [status for status, _ in answers] == [403 if at % 3 else 200 for at in range(60)]


async def test_texts_of_many_callers_are_computed_together(guard: RemoteClassifier) -> None:
    before = await figures()
    texts = [ATTACK if at % 2 else HARMLESS for at in range(400)]
    answers = await asyncio.gather(*(guard.classify([text]) for text in texts))
    assert [scores["INJECTION"] > 0.5 for [scores] in answers] == [at % 2 == 1 for at in range(400)]
    after = await figures()
    assert after.windows - before.windows == 400
    assert (after.windows - before.windows) / (after.batches - before.batches) > 2


async def test_a_call_that_nobody_waits_for_is_not_computed_to_its_end(
    guard: RemoteClassifier,
) -> None:
    before = await figures()
    asking = asyncio.create_task(guard.classify([f"{HARMLESS} " * 6000]))

    async def waits() -> bool:
        assert not asking.done(), asking.result()
        return (await figures()).waiting > 0

    async def is_idle() -> bool:
        return (await figures()).waiting == 0

    await until(waits)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await until(is_idle)
    assert (await figures()).windows - before.windows < 1000


async def test_more_than_may_wait_is_refused_at_once(guard: RemoteClassifier) -> None:
    with pytest.raises(Overloaded):
        await guard.classify([f"{HARMLESS} " * 12_000])
    [scores] = await guard.classify([ATTACK])
    assert scores["INJECTION"] > 0.5


@pytest.mark.parametrize("apps", ["deployed"], indirect=True)
async def test_a_classifier_that_goes_is_away_and_one_that_comes_back_is_asked(
    town: Town, apps: list[dict[str, Any]], http: aiohttp.ClientSession
) -> None:
    async def answers(status: int) -> bool:
        return (await chat(http, ATTACK))[0] == status

    assert await answers(403)
    _, gateway = apps
    await town.run(gateway)
    await until(partial(answers, 200))
    await town.run(*apps)
    await until(partial(answers, 403))
