"""Opens houses for the tests of the whole flow."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
import uvicorn
from houses import Flow, Open, arguments, policy
from provider.fixtures import ScriptedProvider

from serve_app.backends.local_vllm import Transport
from serve_app.compose import House, Maker, Stages
from serve_app.config.policy import Policy
from serve_app.config.structure import GatewayArgs
from serve_app.store.embedded import EmbeddedValkey


@pytest.fixture
def open_flow(clean_valkey: EmbeddedValkey, provider: ScriptedProvider) -> Open:
    """Opens a house with the given `args` and policy; an async context manager."""

    @asynccontextmanager
    async def opened(
        args: dict[str, Any] | None = None,
        rules: Policy | None = None,
        redis_url: str = "",
        transports: Mapping[str, Transport] | None = None,
        records_url: str = "none",
    ) -> AsyncIterator[Flow]:
        environ = {
            **os.environ,
            "SERVE_APP_REDIS_URL": redis_url or clean_valkey.url,
            "SERVE_APP_RECORDS_URL": records_url,
        }
        settings = GatewayArgs.model_validate(arguments(provider.base_url, **(args or {})))
        maker = Maker(settings, environ)
        house = House(
            maker, rules or policy(), Stages(), transports or {}, "r1", names_requests=True
        )
        house.start()
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(128)
            port = listener.getsockname()[1]
            server = uvicorn.Server(
                uvicorn.Config(house.app, log_level="warning", timeout_keep_alive=120)
            )
            serving = asyncio.create_task(server.serve([listener]))
            async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
                try:
                    yield Flow(house, port, http)
                finally:
                    await http.close()
                    server.should_exit = True
                    await asyncio.wait_for(serving, 20)
                    await house.close()

    return opened


@pytest.fixture
async def flow(open_flow: Open) -> AsyncIterator[Flow]:
    async with open_flow() as opened:
        yield opened
