"""A local model's replica: OpenAI requests as bytes in, answers as bytes out.

Light to import, so that building the application stays cheap; vLLM comes in when a replica
starts.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
import psutil

from serve_app.config.model_args import ModelArgs
from serve_app.config.paths import data_dir
from serve_app.deployments import engine_settings
from serve_app.deployments.engine_settings import Device
from serve_app.deployments.problem import Problem
from serve_app.models import embedded

if TYPE_CHECKING:
    from serve_app.deployments.engine import Server

logger = logging.getLogger(__name__)

Bundles = list[dict[str, float]]
Task = Literal["chat", "embed"]
_UNTRACED: Final[Mapping[str, str]] = MappingProxyType({})


class LocalModel:
    """One vLLM engine.

    Args:
        args: the model's settings.
        device: where the engine runs, already decided.
        bundles: what the replica's placement group holds.
    """

    async def __init__(  # type: ignore[misc]  # Serve awaits it
        self, args: ModelArgs, device: Device, bundles: Bundles
    ) -> None:
        self._args = args
        path = await asyncio.to_thread(self._files)
        self._set_environment(device, path)
        # Here, not above: vLLM reads its environment when it is imported.
        from serve_app.deployments import engine

        self._engine = engine
        serial = device == "cpu" and engine_settings.in_one_process(args)
        config = self._config(path, device, bundles)
        self._server: Server = await engine.start(
            config, in_one_process=serial, asked=self._args.engine_kwargs
        )

    def _files(self) -> str:
        """Path or name of the model; the embedded one is made here if this node has it not."""
        folder = data_dir(os.environ)
        if self._args.path == "embedded":
            made = embedded.location(folder)
            embedded.prepare(made, _log_progress)
        return engine_settings.model_path(self._args, folder)

    def _set_environment(self, device: Device, path: str) -> None:
        variables = engine_settings.environment(
            self._args,
            device,
            local_files=Path(path).is_dir(),
            cores=_cores(),
        )
        os.environ.update(variables)

    def _config(self, path: str, device: Device, bundles: Bundles) -> dict[str, Any]:
        """Fields of Ray's LLMConfig."""
        cpuinfo = Path("/proc/cpuinfo")
        text = cpuinfo.read_text(encoding="utf-8") if cpuinfo.exists() else ""
        kwargs = engine_settings.engine_kwargs(self._args, device, text)
        return {
            "model_loading_config": {"model_id": self._args.model_id, "model_source": path},
            "accelerator_config": {"kind": device},
            "placement_group_config": {"bundles": bundles},
            "engine_kwargs": kwargs,
            "log_engine_metrics": False,
            # Ray's default waits 50 ms for more tokens before the first one goes out.
            "experimental_configs": {"stream_batching_interval_ms": 0},
        }

    async def chat_raw(
        self, body: bytes, request_id: str, trace: Mapping[str, str] = _UNTRACED
    ) -> AsyncGenerator[bytes]:
        """Answer one chat request; the model's name in it must be `args.model_id`.

        With `"stream": true` yields SSE events (`data: {...}`, several in one piece if they
        came together), the last being `data: [DONE]`; otherwise one JSON body. A request that
        fails before its first event gets one JSON body with `error` instead. Closing or
        cancelling the iterator stops the engine's work on it.

        Args:
            trace: headers that say where the request stands in a trace: vLLM's own spans are below
                it, where `engine_kwargs.otlp_traces_endpoint` says where they go.
        """
        async with aclosing(self._answered("chat", body, request_id, trace)) as pieces:
            async for piece in pieces:
                yield piece

    async def embed_raw(
        self, body: bytes, request_id: str, trace: Mapping[str, str] = _UNTRACED
    ) -> AsyncGenerator[bytes]:
        """Answer one OpenAI request for embeddings: one JSON body, the list or an `error`."""
        async with aclosing(self._answered("embed", body, request_id, trace)) as pieces:
            async for piece in pieces:
                yield piece

    async def _answered(
        self, task: Task, body: bytes, request_id: str, trace: Mapping[str, str]
    ) -> AsyncGenerator[bytes]:
        if "otlp_traces_endpoint" not in self._args.engine_kwargs:
            trace = _UNTRACED  # vLLM would warn that it makes no spans
        try:
            if task != self._args.task:
                raise _wrong_task(self._args)
            if task == "embed":
                pieces = self._engine.embed(self._server, body, request_id, trace)
            else:
                pieces = self._engine.chat(self._server, body, request_id, trace)
            async with aclosing(pieces):
                async for piece in pieces:
                    yield piece
        except Problem as problem:
            yield problem.body()
        except Exception:
            logger.exception("request %s failed in the local model", request_id)
            yield Problem("the local model failed", status=500, code="engine_failed").body()

    async def health_raw(self) -> bytes:
        """`{"ok", "running", "waiting", "kv_used", "detail"}`: requests now in vLLM's batch and
        before it, and the share of its KV cache that they hold (null: it does not say)."""
        detail = ""
        try:
            await self._server.check_health()
        except Exception as error:  # noqa: BLE001 - whatever it is, the engine is not well
            detail = f"{type(error).__name__}: {error}"
        unfinished = self._server.engine.unfinished()
        running = min(unfinished, self._args.max_running)
        state = {"ok": not detail, "running": running, "waiting": unfinished - running}
        kv_used = self._server.engine.kv_used()
        return msgspec.json.encode({**state, "kv_used": kv_used, "detail": detail})

    async def check_health(self) -> None:
        """Serve calls it; raising makes it start a new replica."""
        await self._server.check_health()

    def __del__(self) -> None:
        server = getattr(self, "_server", None)
        if server is not None:
            server.engine.stop()


def _wrong_task(args: ModelArgs) -> Problem:
    does = "makes embeddings, it does not chat" if args.task == "embed" else "makes no embeddings"
    message = f"the model {args.model_id!r} {does} (its task is {args.task!r})"
    return Problem(message, status=404, code="model_not_found", param="model")


def _cores() -> int:
    """Physical cores that this process may use."""
    allowed = len(os.sched_getaffinity(0))
    return min(allowed, psutil.cpu_count(logical=False) or allowed)


def _log_progress(stage: str, done: float) -> None:
    logger.debug("embedded model: %s %.0f%%", stage, done * 100)
