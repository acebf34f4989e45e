"""The Ray shell of a hosted backend that is its own deployment, and the way to it."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

from ray.serve.handle import DeploymentHandle

from serve_app.compose import Maker
from serve_app.compose.logs import adjust_log, begin_log
from serve_app.config.backend_settings import HostedBackend
from serve_app.config.structure import GatewayArgs
from serve_app.core.errors import PolicyRejected
from serve_app.deployments import interpreter
from serve_app.deployments.batch_runner import BatchRunner
from serve_app.deployments.carriers import FAILURES, hop_failed
from serve_app.deployments.policies import checked


class BackendReplica:
    """One replica of a hosted backend.

    Args:
        name: of the backend.
        args: `GatewayArgs` as plain data.
    """

    def __init__(self, name: str, args: dict[str, Any]) -> None:
        begin_log()
        self._maker = Maker(GatewayArgs.model_validate(args), os.environ)
        [self._settings] = [
            b for b in self._maker.args.backends if isinstance(b, HostedBackend) and b.name == name
        ]
        self._runner: BatchRunner | None = None

    async def run(self, payload: bytes) -> AsyncGenerator[bytes, None]:
        """Run a batch of calls; see `BatchRunner.run`."""
        async for message in self._started().run(payload):
            yield message

    async def cancel(self, call_ids: list[str]) -> None:
        self._started().cancel(call_ids)

    async def health(self) -> bytes:
        return await self._started().health()

    async def reconfigure(self, user_config: dict[str, Any]) -> None:
        """A hosted backend has no policy of its own; of the shared one it takes that of the log.
        A bad one is refused by those whom it concerns."""
        with suppress(PolicyRejected):
            adjust_log(checked(user_config).logs)

    def _started(self) -> BatchRunner:
        """The client's pool belongs to the running loop, so it is made at the first call."""
        if self._runner is None:
            self._runner = BatchRunner(self._maker.hosted(self._settings))
            interpreter.calm()
        return self._runner


class HandleWire:
    """Carries batches to `BackendReplica`."""

    def __init__(self, handle: DeploymentHandle) -> None:
        self._handle = handle
        self._run = handle.options(method_name="run", stream=True)
        self._health = handle.options(method_name="health")

    async def open(self, payload: bytes) -> AsyncGenerator[bytes, None]:
        messages = self._run.remote(payload)
        try:
            async for message in messages:
                yield message
        except FAILURES as error:
            raise hop_failed(error) from error
        finally:
            messages.cancel()

    async def cancel(self, call_ids: list[str]) -> None:
        """Reaches every replica: the caller does not know which one runs the batch."""
        self._handle.broadcast("cancel", call_ids)

    async def health(self) -> bytes:
        try:
            answer: bytes = await self._health.remote()
        except FAILURES as error:
            raise hop_failed(error) from error
        return answer
