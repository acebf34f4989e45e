"""A gateway with keys for tests that are not coroutines: its loop turns in a thread of its own.

Two tenants and an admin have keys. Each tenant's names, tags, sessions and keys carry a mark, and
its texts a secret, that nobody else's answers may ever hold.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import tempfile
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import uvicorn
from flow.houses import MODELS, policy
from provider.fixtures import ScriptedProvider

from serve_app.compose import House, Maker, Stages
from serve_app.config.policy import Policy
from serve_app.config.structure import GatewayArgs

T = TypeVar("T")

ADMIN_KEY = "sk-admin-of-the-fuzz"
CAPABILITIES = [
    "tools", "parallel_tools", "json_object", "json_schema", "vision", "logprobs", "n", "seed",
    "reasoning",
]  # fmt: skip
WAIT_S = 30.0


class Tenant:
    """Who asks, and the mark of what is theirs."""

    def __init__(self, name: str) -> None:
        self.mark = f"MARK{name.upper()}{hashlib.sha256(name.encode()).hexdigest()[:8].upper()}"
        """In the names of what is theirs."""
        self.secret = f"secret-of-{self.mark[::-1].lower()}"
        """In their texts: nobody else ever says it."""
        self.name = f"{name}-{self.mark}"
        self.key = f"sk-{name}-of-the-fuzz"

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.key}"}

    def entry(self, **more: Any) -> dict[str, Any]:
        """The tenant's key for a policy."""
        return {"sha256": digest(self.key), "tenant": self.name, "user": f"u-{self.mark}", **more}


ACME = Tenant("acme")
ZETA = Tenant("zeta")


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def keyed(*keys: dict[str, Any], **more: Any) -> Policy:
    """A policy that asks for keys, and what else admission is to say; nobody is limited unless the
    entry of a key says so."""
    admission = {
        "keys": list(keys), "admin_keys": [digest(ADMIN_KEY)], "user_rpm": 0, "key_rpm": 0, **more,
    }  # fmt: skip
    return policy(admission=admission)


class Running:
    """A house that answers at `port`."""

    def __init__(self, house: House, port: int, loop: asyncio.AbstractEventLoop) -> None:
        self.house = house
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._loop = loop

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something in the house's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(WAIT_S)


def _arguments(provider: ScriptedProvider, **more: Any) -> GatewayArgs:
    models = [{"id": name, "context": 100_000, "capabilities": CAPABILITIES} for name in MODELS]
    vectors = {"id": "vec", "kind": "embedding", "context": 100_000}
    timeouts = {"connect_s": 5, "first_token_s": 10, "idle_s": 10, "total_s": 20}
    backend = {
        "name": "p", "base_url": provider.base_url, "models": [*models, vectors],
        "timeouts": timeouts,
    }  # fmt: skip
    values = {"profile": "fuzz", "backends": [backend], "redis": {"timeout_ms": 5000}, **more}
    return GatewayArgs.model_validate(values)


@contextmanager
def opened(
    provider: ScriptedProvider, redis_url: str, rules: Policy, **args: Any
) -> Iterator[Running]:
    """A house until the end of the block."""
    with socket.socket() as listener, tempfile.TemporaryDirectory() as folder:
        environ = {
            "SERVE_APP_REDIS_URL": redis_url,
            "SERVE_APP_RECORDS_URL": f"sqlite:///{folder}/records.db",
        }
        maker = Maker(_arguments(provider, **args), {**os.environ, **environ})
        listener.bind(("127.0.0.1", 0))
        listener.listen(512)
        thread = _Thread(maker, rules, listener)
        thread.start()
        try:
            yield thread.running()
        finally:
            thread.stop()


class _Thread(threading.Thread):
    def __init__(self, maker: Maker, rules: Policy, listener: socket.socket) -> None:
        super().__init__(name="house of the fuzz")
        self._maker, self._rules, self._listener = maker, rules, listener
        self._is_up = threading.Event()
        self._running: Running | None = None
        self._server: uvicorn.Server | None = None
        self._failure: BaseException | None = None

    def run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # handed to the test
            self._failure = error
        finally:
            self._is_up.set()

    async def _serve(self) -> None:
        house = House(self._maker, self._rules, Stages(), {}, "r1", names_requests=True)
        house.start()
        config = uvicorn.Config(house.app, log_level="critical", timeout_graceful_shutdown=5)
        self._server = uvicorn.Server(config)
        port = self._listener.getsockname()[1]
        self._running = Running(house, port, asyncio.get_running_loop())
        self._is_up.set()
        try:
            await self._server.serve([self._listener])
        finally:
            await house.close()

    def running(self) -> Running:
        assert self._is_up.wait(WAIT_S)
        if self._failure is not None:
            raise self._failure
        assert self._running is not None
        return self._running

    def stop(self) -> None:
        if self._server is not None:
            self._server.should_exit = True
        self.join(WAIT_S)
        assert not self.is_alive(), "the house does not close"
        if self._failure is not None:
            raise self._failure
