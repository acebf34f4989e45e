"""Starts and ends what is measured, and knows its whole process tree."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

import psutil

from benchmarks import proctree
from benchmarks.ports import require_free

STOP_LIMIT_S = 20.0


class Launcher(Protocol):
    """One contender's processes, from `start` to `stop`."""

    def start(self, log: IO[bytes]) -> None:
        """Begin; returns before it is ready."""

    def failed(self) -> bool:
        """True once it is clear that it will never answer."""

    def roots(self) -> list[int]:
        """Process ids whose trees hold every process of it."""

    def stop(self) -> None:
        """End every process that `start` began; safe to call at any time."""


class Nothing:
    """The upstream itself: nothing to start."""

    def start(self, log: IO[bytes]) -> None:
        return

    def failed(self) -> bool:
        return False

    def roots(self) -> list[int]:
        return []

    def stop(self) -> None:
        return


@dataclass(frozen=True)
class Program:
    """One process that stays in the foreground, and the ports it takes."""

    argv: list[str]
    cwd: Path
    ports: tuple[int, ...]
    environment: dict[str, str] = field(default_factory=dict)


class Programs:
    """Programs started in order, ended in reverse; each leads a process group of its own."""

    def __init__(self, *programs: Program) -> None:
        self._programs = programs
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self, log: IO[bytes]) -> None:
        for program in self._programs:
            require_free(*program.ports)
            process = subprocess.Popen(
                program.argv,
                cwd=program.cwd,
                env={**os.environ, **program.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            self._running.append(process)

    def failed(self) -> bool:
        return any(process.poll() is not None for process in self._running)

    def roots(self) -> list[int]:
        return [process.pid for process in self._running]

    def stop(self) -> None:
        while self._running:
            process = self._running.pop()
            below = living([process.pid])
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_LIMIT_S)
            end_left_over(below)
            process.wait(STOP_LIMIT_S)


def living(roots: list[int]) -> list[psutil.Process]:
    """Everything below the roots, known by start time too: ids are used again."""
    found = []
    for pid in proctree.tree(roots):
        with contextlib.suppress(psutil.NoSuchProcess):
            found.append(psutil.Process(pid))
    return found


def end_left_over(processes: list[psutil.Process]) -> None:
    """Kill what still lives of processes that this benchmark started, and wait for their end."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    end = time.monotonic() + STOP_LIMIT_S
    while time.monotonic() < end and any(map(lives, processes)):
        time.sleep(0.02)


def lives(process: psutil.Process) -> bool:
    """False for a zombie: it holds neither memory nor ports."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
