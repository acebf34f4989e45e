"""A gateway of its own process, to be killed: `python batch_house.py REDIS PROVIDER POLICY`.

It says its port when it serves.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys

import uvicorn
from houses import arguments

from serve_app.compose import House, Maker, Stages
from serve_app.config.policy import Policy
from serve_app.config.structure import GatewayArgs


async def serve(redis_url: str, provider: str, policy: str) -> None:
    more = {"tasks": {"lease_s": 1}}
    settings = GatewayArgs.model_validate(arguments(provider, **more))
    environ = {"SERVE_APP_REDIS_URL": redis_url, "SERVE_APP_RECORDS_URL": "none"}
    maker = Maker(settings, {**os.environ, **environ})
    rules = Policy.model_validate(json.loads(policy))
    house = House(maker, rules, Stages(), {}, f"r{os.getpid()}", names_requests=True)
    house.start()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        say(listener.getsockname()[1])
        await uvicorn.Server(uvicorn.Config(house.app, log_level="warning")).serve([listener])


def say(line: object) -> None:
    """Once; nobody reads the log of requests."""
    print(line, flush=True)
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
