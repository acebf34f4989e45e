"""A bad night on two replicas: what goes wrong is told once, and once that it is over."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvicorn
import yaml
from provider.fixtures import start, stop
from receivers import Receivers

from serve_app.compose import House, Maker, Stages
from serve_app.config.policy import Policy
from serve_app.config.shipped import shipped
from serve_app.config.structure import GatewayArgs
from serve_app.store.embedded import EmbeddedValkey

LIMIT_S = 120.0
ADMIN_KEY = "night-watch-0123456789abcdef0123456789"
SPENDER = "spender"
KINDS = ("webhook", "dingtalk", "mail")
EXPECTED = {
    "BreakerOpen main", "ProviderKeyRefused", "NoBackend", "ErrorRateHigh", "LatencyHigh",
    "BudgetNearlySpent", "BudgetSpent", "RedisGone",
}  # fmt: skip


def quick_rules() -> list[dict[str, Any]]:
    """The shipped rules with windows of seconds in place of minutes."""
    rules: list[dict[str, Any]] = yaml.safe_load(shipped("alerts.yaml").read_text("utf-8"))
    for rule in rules:
        rule["expr"] = re.sub(r"\[\d+m\]", "[15s]", rule["expr"]).replace(
            "offset 10m", "offset 20s"
        )
        rule["for_s"] = min(rule.get("for_s", 0), 10)
        rule["keep_s"] = 12
        if rule["name"] == "LatencyHigh":
            rule["threshold"] = 0.8
    return rules


def policy(budget_usd: str) -> Policy:
    channels = [
        {
            "name": "hook",
            "kind": "webhook",
            "url_env": "WEBHOOK_URL",
            "secret_env": "WEBHOOK_SECRET",
        },
        {
            "name": "robot",
            "kind": "dingtalk",
            "url_env": "DINGTALK_URL",
            "secret_env": "DINGTALK_SECRET",
        },
        {"name": "mail", "kind": "apprise", "url_env": "MAIL_URL"},
    ]
    return Policy.model_validate(
        {
            "routing": {"default": ["main/ok", "spare/ok"]},
            "cache": {"enabled": False},
            "prices": {"ok": {"input": 1_000_000, "output": 2_000_000}},
            "admission": {
                "require_key": False,
                "user_rpm": 0,
                "key_rpm": 0,
                "limits": [{"per": ["user"], "budget": {"day": budget_usd, "soft": 0.5}}],
            },
            "alerts": {
                "shipped": False,
                "rules": quick_rules(),
                "channels": channels,
                "interval_s": 0.5,
                "group_wait_s": 0.2,
                "group_interval_s": 0.2,
                "retry_s": 0.1,
            },
        }
    )


class Night:
    """Two replicas on one Valkey, two providers, and callers all night long."""

    def __init__(self, valkey: EmbeddedValkey, receivers: Receivers, folder: Path) -> None:
        self.valkey = valkey
        self.receivers = receivers
        self.folder = folder
        self.main_process, self.main = start()
        self.spare_process, self.spare = start()
        self.keys = {name: folder / f"{name}.key" for name in ("main", "spare")}
        for file in self.keys.values():
            file.write_text("sk-the-old-key\n", "utf-8")
        self.houses: list[House] = []
        self.calls: list[aiohttp.ClientSession] = []
        self.seen: list[tuple[int, str]] = []
        """Status and request id of each request, in order."""

    def arguments(self) -> GatewayArgs:
        model = {"id": "ok", "context": 8000}
        timeouts = {"connect_s": 2, "first_token_s": 5, "idle_s": 5, "total_s": 20}
        backends = [
            {
                "name": name,
                "base_url": provider.base_url,
                "api_key_file": str(self.keys[name]),
                "models": [model],
                "timeouts": timeouts,
            }
            for name, provider in (("main", self.main), ("spare", self.spare))
        ]
        return GatewayArgs.model_validate(
            {"profile": "night", "backends": backends, "redis": {"timeout_ms": 1000}}
        )

    @asynccontextmanager
    async def replica(self, name: str) -> AsyncIterator[None]:
        environ = {
            **self.receivers.environ,
            "SERVE_APP_REDIS_URL": self.valkey.url,
            "SERVE_APP_DATA_DIR": str(self.folder),
            "SERVE_APP_ADMIN_KEY": ADMIN_KEY,
        }
        maker = Maker(self.arguments(), environ)
        house = House(maker, policy("1.00"), Stages(), {}, name, names_requests=True)
        house.start()
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(128)
            server = uvicorn.Server(uvicorn.Config(house.app, log_level="warning"))
            serving = asyncio.create_task(server.serve([listener]))
            port = listener.getsockname()[1]
            async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
                self.houses.append(house)
                self.calls.append(http)
                try:
                    yield
                finally:
                    await http.close()
                    server.should_exit = True
                    await asyncio.wait_for(serving, 20)
                    await house.close()

    async def ask(self, http: aiohttp.ClientSession, user: str = "") -> int:
        body: dict[str, Any] = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}
        if user:
            body["user"] = user
        async with http.post("/v1/chat/completions", json=body) as answer:
            await answer.read()
            self.seen.append((answer.status, answer.headers["x-request-id"]))
            return answer.status

    async def traffic(self) -> None:
        """Some requests a second, until it is cancelled."""
        for http in itertools.cycle(self.calls):
            await self.ask(http)
            await asyncio.sleep(0.1)

    async def get(self, path: str) -> Any:
        headers = {"authorization": f"Bearer {ADMIN_KEY}"}
        async with self.calls[0].get(path, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def shows_not(self, sample: str) -> bool:
        async with self.calls[0].get("/metrics") as answer:
            return sample not in await answer.text()

    def told(self, kind: str) -> Counter[tuple[str, str]]:
        """How often an alert was told of, and that it was over, by one kind of receiver."""
        found: Counter[tuple[str, str]] = Counter()
        for body in self.receivers.taken(kind):
            text = json.dumps(body)
            names = {of(name, text) for name in RULES if re.search(rf"\b{name}\b", text)}
            state = "resolved" if is_over(kind, body) else "firing"
            found.update((name, state) for name in names)
        return found

    async def until(self, *wanted: tuple[str, str]) -> None:
        """Until all receivers were told."""
        await until(lambda: asyncio.to_thread(self._were_told, wanted), f"{wanted}")

    def _were_told(self, wanted: tuple[tuple[str, str], ...]) -> bool:
        return all(self.told(kind)[one] for kind in KINDS for one in wanted)

    def close(self) -> None:
        stop(self.main_process)
        stop(self.spare_process)


RULES = [rule["name"] for rule in quick_rules()]


def of(name: str, text: str) -> str:
    """An alert's name, and whose it is where there are two."""
    if name != "BreakerOpen":
        return name
    return f"{name} main" if re.search(r"\bmain\b", text) else f"{name} spare"


def is_over(kind: str, body: Any) -> bool:
    if kind == "webhook":
        return bool(body["status"] == "resolved")
    return "resolved" in json.dumps(body).lower()


async def until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    end = time.monotonic() + LIMIT_S
    while not await condition():
        assert time.monotonic() < end, what
        await asyncio.sleep(0.1)


@pytest.fixture
def night_valkey(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    """One that the night can kill."""
    server = EmbeddedValkey(tmp_path / "valkey")
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
async def night(
    night_valkey: EmbeddedValkey, receivers: Receivers, tmp_path: Path
) -> AsyncIterator[Night]:
    receivers.reset()
    night = Night(night_valkey, receivers, tmp_path)
    try:
        async with AsyncExitStack() as stack:
            for name in ("r1", "r2"):
                await stack.enter_async_context(night.replica(name))
            yield night
    finally:
        night.close()


def revived(night: Night) -> None:
    """The dead provider runs again at its old address."""
    night.main_process, night.main = start(night.main.port)


async def spend(night: Night) -> None:
    """Use a small budget up, and be refused."""
    for house in night.houses:
        house.apply(policy("0.002"))
    async with asyncio.timeout(LIMIT_S):
        for http in itertools.cycle(night.calls):
            if await night.ask(http, SPENDER) == 429:
                break


async def spend_again(night: Night) -> None:
    """The budget was raised; each replica hears of it when the spender asks."""
    for house in night.houses:
        house.apply(policy("1.00"))
    for http in night.calls:
        assert await night.ask(http, SPENDER) == 200


@pytest.mark.timeout(900)
async def test_each_is_told_once_and_that_it_is_over_once(night: Night) -> None:
    async with asyncio.TaskGroup() as group:
        callers = group.create_task(night.traffic())
        await through_the_night(night)
        callers.cancel()
    once = {(name, state): 1 for name in EXPECTED for state in ("firing", "resolved")}
    for kind in KINDS:
        assert night.told(kind) == once, kind
    assert (await night.get("/v1/alerts"))["firing"] == []


async def through_the_night(night: Night) -> None:
    fired, over = "firing", "resolved"

    # A backend dies; requests go to the other one.
    stop(night.main_process)
    await night.until(("BreakerOpen main", fired))
    through_spare = night.seen[-1]
    assert through_spare[0] == 200
    # That one refuses our key.
    night.spare.script("ok", "status-401")
    await night.until(("ProviderKeyRefused", fired), ("NoBackend", fired), ("ErrorRateHigh", fired))
    failed = night.seen[-1]
    assert failed[0] >= 500
    # The first is back; the other one rests, as long as its key is refused.
    revived(night)
    await night.until(("BreakerOpen main", over), ("NoBackend", over), ("ErrorRateHigh", over))
    resting = 'serve_app_backend_state{backend="spare",model="ok",state="open"} 1.0'
    await until(lambda: night.shows_not(resting), "spare rests no more")
    night.spare.script("ok", "ok")
    night.keys["spare"].write_text("sk-the-new-key\n", "utf-8")
    await night.until(("ProviderKeyRefused", over))
    # Answers become slow.
    for provider in (night.main, night.spare):
        provider.script("ok", "slow-1500ms")
    await night.until(("LatencyHigh", fired))
    for provider in (night.main, night.spare):
        provider.script("ok", "ok")
    await night.until(("LatencyHigh", over))
    # Somebody's money is spent.
    await spend(night)
    await night.until(("BudgetNearlySpent", fired), ("BudgetSpent", fired))
    refused = night.seen[-1]
    await spend_again(night)
    await night.until(("BudgetNearlySpent", over), ("BudgetSpent", over))
    # Redis dies.
    pid = night.valkey.pid
    assert pid is not None
    night.valkey.stop()
    await night.until(("RedisGone", fired))
    assert night.seen[-1][0] == 200
    night.valkey.start()
    await night.until(("RedisGone", over))

    await explained(night, through_spare[1], failed[1])
    assert refused[0] == 429


async def explained(night: Night, through_spare: str, failed: str) -> None:
    """The trails say why, and the report what it cost."""
    trail = await night.get(f"/v1/trails/{through_spare}")
    assert trail["backend"] == "spare"
    trail = await night.get(f"/v1/trails/{failed}")
    outcomes = [note for note in trail["notes"] if note["stage"] == "attempt"]
    assert outcomes
    costs = await night.get("/v1/costs?group_by=backend")
    spent = {row["backend"]: row["cost_micro_usd"] for row in costs["data"]}
    assert spent["main"] > 0
    assert spent["spare"] > 0
