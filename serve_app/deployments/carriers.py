"""What carries calls over Ray Serve handles, and turns its failures into ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Final

import grpc
import msgspec
from msgspec import Struct
from ray.exceptions import RayActorError, RayError, RayTaskError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError, RayServeException
from ray.serve.handle import DeploymentHandle

from serve_app.backends.base import AttemptFailed, Health
from serve_app.core.trace import Trace
from serve_app.core.types import Endpoint
from serve_app.deployments.hop import HopFailed, Send

FAILURES = (RayError, RayServeException, grpc.RpcError)
"""Whatever a handle raises when the other side did not do its work."""

_NEWS_S = 1.0
"""So long a new handle may take to be told of running replicas; what asks first would otherwise
find none, whatever runs."""
_LOOK_S = 0.005

_LOAD_LIMIT_S = 1.5


class ModelLoad(Struct, frozen=True):
    """How full a local model's engine is."""

    kv_used: float | None = None
    """Share of its KV cache that is in use; None: it does not say."""
    waiting: int = 0
    """Requests that wait inside it."""


_load = msgspec.json.Decoder(ModelLoad).decode

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


class LateHandle:
    """A handle of another application, which may come up after ours, or go and come back.

    Args:
        find: gives the handle; called in a thread.
    """

    def __init__(self, find: Callable[[], DeploymentHandle]) -> None:
        self._find = find
        self._handle: DeploymentHandle | None = None
        self._told_by = 0.0

    async def ready(self) -> DeploymentHandle | None:
        """The handle as soon as Serve knows a running replica behind it; None before."""
        try:
            handle = await self._found()
        except (*FAILURES, KeyError):  # a KeyError: Serve knows no such application (yet)
            return None
        loop = asyncio.get_running_loop()
        if not handle.is_initialized:
            handle._init()
            self._told_by = loop.time() + _NEWS_S
        while not handle.running_replicas_populated():
            if loop.time() >= self._told_by:
                return None
            await asyncio.sleep(_LOOK_S)
        return handle

    async def _found(self) -> DeploymentHandle:
        if self._handle is None:
            # Serve asks its controller and waits for the answer: not in this loop.
            self._handle = await asyncio.to_thread(self._find)
        return self._handle


class ModelTransport:
    """Reaches a local model's deployment; see `backends/local_vllm.py`.

    Args:
        find: gives the handle; see `LateHandle`.
    """

    def __init__(self, find: Callable[[], DeploymentHandle], where: str) -> None:
        self._handle = LateHandle(find)
        self._where = where

    async def open(
        self, body: bytes, request_id: str, endpoint: Endpoint, trace: Trace | None
    ) -> AsyncGenerator[bytes, None]:
        """The model's answer, piece by piece. Closing it stops the engine's work."""
        handle = await self._handle.ready()
        if handle is None:
            raise AttemptFailed("candidate", f"{self._where} is not running")
        method = handle.options(method_name=_METHODS[endpoint], stream=True)
        told = () if trace is None else (trace.headers(),)
        pieces = method.remote(body, request_id, *told)
        try:
            async for piece in pieces:
                yield piece
        except FAILURES as error:
            raise AttemptFailed(
                "transient", f"{self._where} failed: {type(error).__name__}"
            ) from error
        finally:
            pieces.cancel()

    async def load(self) -> ModelLoad | None:
        """How full the engine is, of the fullest replica; None: none of them says."""
        handle = await self._handle.ready()
        if handle is None:
            return None
        try:
            answer = handle.broadcast("health_raw")
            told = await answer.results_async(timeout_s=_LOAD_LIMIT_S, return_exceptions=True)
        except FAILURES:
            return None
        loads = [_load(said) for said in told if isinstance(said, bytes)]
        used = [load.kv_used for load in loads if load.kv_used is not None]
        if not loads:
            return None
        return ModelLoad(max(used, default=None), max(load.waiting for load in loads))

    async def health(self) -> Health:
        """Up as soon as Serve knows a running replica of the model."""
        if await self._handle.ready() is None:
            return Health(ok=False, detail=f"{self._where} is not running (yet)")
        return Health(ok=True, detail=f"{self._where} is up")
