"""What carries calls over Ray Serve handles, and turns its failures into ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Final

import grpc
from ray.exceptions import RayActorError, RayError, RayTaskError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError, RayServeException
from ray.serve.handle import DeploymentHandle

from serve_app.backends.base import AttemptFailed, Health
from serve_app.core.types import Endpoint
from serve_app.deployments.hop import HopFailed, Send

FAILURES = (RayError, RayServeException, grpc.RpcError)
"""Whatever a handle raises when the other side did not do its work."""


_METHODS: Final[dict[Endpoint, str]] = {"chat": "chat_raw", "embeddings": "embed_raw"}
"""What answers a request at `LocalModel`."""


def sender(handle: DeploymentHandle) -> Callable[[str], Send]:
    """Carries batches to `StageReplica.call`."""
    call = handle.options(method_name="call")

    def of_method(method: str) -> Send:
        async def send(payload: bytes) -> bytes:
            try:
                answer: bytes = await call.remote(method, payload)
            except FAILURES as error:
                raise hop_failed(error) from error
            return answer

        return send

    return of_method


def hop_failed(error: BaseException) -> HopFailed:
    """A handle's failure as ours: a dead replica may be tried again, a bug may not."""
    retryable = isinstance(
        error, RayActorError | DeploymentUnavailableError | grpc.RpcError
    ) and not isinstance(error, RayTaskError | BackPressureError)
    return HopFailed(f"{type(error).__name__}: {str(error)[:300]}", retryable=retryable)


class ModelTransport:
    """Reaches a local model's deployment; see `backends/local_vllm.py`.

    Args:
        find: gives the handle. Called late: the model's application may come up after ours.
    """

    def __init__(self, find: Callable[[], DeploymentHandle], where: str) -> None:
        self._find = find
        self._where = where
        self._handle: DeploymentHandle | None = None

    async def open(
        self, body: bytes, request_id: str, endpoint: Endpoint
    ) -> AsyncGenerator[bytes, None]:
        """The model's answer, piece by piece. Closing it stops the engine's work."""
        handle = await self._ready_handle()
        if handle is None:
            raise AttemptFailed("candidate", f"{self._where} is not running")
        method = handle.options(method_name=_METHODS[endpoint], stream=True)
        pieces = method.remote(body, request_id)
        try:
            async for piece in pieces:
                yield piece
        except FAILURES as error:
            raise AttemptFailed(
                "transient", f"{self._where} failed: {type(error).__name__}"
            ) from error
        finally:
            pieces.cancel()

    async def health(self) -> Health:
        """Up as soon as Serve knows a running replica of the model."""
        if await self._ready_handle() is None:
            return Health(ok=False, detail=f"{self._where} is not running (yet)")
        return Health(ok=True, detail=f"{self._where} is up")

    async def _ready_handle(self) -> DeploymentHandle | None:
        try:
            handle = await self._found()
        except (*FAILURES, KeyError):  # a KeyError: Serve knows no such application (yet)
            return None
        if not handle.is_initialized:
            handle._init()
        return handle if handle.running_replicas_populated() else None

    async def _found(self) -> DeploymentHandle:
        if self._handle is None:
            # Serve asks its controller and waits for the answer: not in this loop.
            self._handle = await asyncio.to_thread(self._find)
        return self._handle
