"""A classifier's replica: texts in, scores by label out, batched over all who ask.

Light to import, so that building the application stays cheap; torch comes in when a replica
starts.
"""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
import psutil

from serve_app.config.model_args import ClassifierArgs
from serve_app.deployments.window_queue import Scores, Window, WindowQueue

if TYPE_CHECKING:
    from serve_app.models.classifier import TextClassifier

Device = Literal["cpu", "gpu"]

_ILL_AFTER = 3
"""Batches that fail in a row; a GPU that failed once never computes again in its process."""

_encode = msgspec.msgpack.encode
_texts = msgspec.msgpack.Decoder(list[str])


class Figures(msgspec.Struct, frozen=True):
    """What a replica has done since it started."""

    batches: int
    windows: int
    waiting: int


class ClassifierReplica:
    """One model.

    Args:
        args: the classifier's settings.
        device: where it runs, already decided.
    """

    async def __init__(  # type: ignore[misc]  # Serve awaits it
        self, args: ClassifierArgs, device: Device
    ) -> None:
        os.environ.update(_environment(args))
        # One thread: a model computes one batch at a time, with all of its cores.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="classifier")
        loop = asyncio.get_running_loop()
        self._model = await loop.run_in_executor(self._thread, _loaded, args, device)
        self._queue = WindowQueue(self._run, max_batch=args.max_batch, max_waiting=args.max_waiting)

    async def classify_raw(self, payload: bytes) -> bytes:
        """Msgpack of texts in, msgpack of as many `{label: score}` out.

        Raises:
            Full: too much waits here.
            BatchFailed: the model did.
        """
        texts = _texts.decode(payload)
        windows = await asyncio.to_thread(lambda: [self._model.windows(text) for text in texts])
        labels = self._model.labels
        try:
            async with asyncio.TaskGroup() as group:
                judged = [group.create_task(self._queue.judge(one)) for one in windows]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return _encode([dict(zip(labels, one.result(), strict=True)) for one in judged])

    async def figures_raw(self) -> bytes:
        """`Figures` as msgpack."""
        queue = self._queue
        return _encode(Figures(queue.batches, queue.windows, queue.waiting))

    async def check_health(self) -> None:
        """Serve calls it; raising makes it start a new replica."""
        if self._queue.failures >= _ILL_AFTER:
            raise RuntimeError(f"the last {self._queue.failures} batches failed")

    async def _run(self, windows: list[Window]) -> list[Scores]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._model.scores, windows)

    async def __del__(self) -> None:
        if (queue := getattr(self, "_queue", None)) is not None:
            await queue.close()
        if (thread := getattr(self, "_thread", None)) is not None:
            thread.shutdown(wait=False)


def _loaded(args: ClassifierArgs, device: Device) -> TextClassifier:
    # Here, not above: torch and transformers read their environment when they are imported.
    try:
        from serve_app.models.classifier import TextClassifier
    except ModuleNotFoundError as error:
        raise RuntimeError(
            f"a classifier needs {error.name}: install serve-app[classifier], [cpu] or [gpu]"
        ) from error
    return TextClassifier(args.path, device, args.window_tokens, _threads(args))


def _environment(args: ClassifierArgs) -> dict[str, str]:
    """Variables to set before the first import of torch and transformers."""
    variables = {
        # Threads that wait must sleep: spinning ones take the cores of their neighbours.
        "OMP_WAIT_POLICY": "passive",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    if Path(args.path).is_dir():
        variables["HF_HUB_OFFLINE"] = "1"
    return variables


def _threads(args: ClassifierArgs) -> int:
    """Whole reserved CPUs are for computing; else one core stays for the gateway."""
    allowed = len(os.sched_getaffinity(0))
    cores = min(allowed, psutil.cpu_count(logical=False) or allowed)
    return int(args.cpus) or max(1, cores - 1)
