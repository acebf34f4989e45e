"""What the supervisor writes down: its state (what is its own) and its status (how it goes)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeVar

import msgspec
from msgspec import Struct, field

from serve_app.cli.life.instance import write_private

Phase = Literal["starting", "ready", "draining", "stopped", "failed"]
StepState = Literal["running", "done", "skipped", "failed"]


class ProcessRecord(Struct, frozen=True):
    """A process, told apart from a later one with the same id by when it started."""

    pid: int
    started: int
    """Clock ticks since the machine booted."""
    name: str = ""


class State(Struct):
    """What belongs to a running gateway, so that it can be ended even if its supervisor died."""

    boot_id: str
    marker: str
    """Value of SERVE_APP_INSTANCE in the environment of every process of this gateway."""
    supervisor: ProcessRecord
    address: str
    files: list[str]
    ports: dict[str, int] = field(default_factory=dict)
    runtime: str = ""
    """Ray's session, HAProxy's sockets; removed at the end."""
    processes: list[ProcessRecord] = field(default_factory=list)


class StepRecord(Struct):
    """One thing that start or stop waits for."""

    name: str
    began: float
    """Unix seconds."""
    state: StepState = "running"
    detail: str = ""
    seconds: float = 0.0
    """How long it took; 0 while it runs."""
    share: float | None = None
    """How much of it is done, 0 to 1; None where nobody knows."""


class Status(Struct):
    """How it goes; rewritten at every change."""

    phase: Phase = "starting"
    address: str = ""
    steps: list[StepRecord] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    error: str = ""
    exit_code: int = 0
    reloads: int = 0
    reload_problem: str = ""
    """Why the last reload was refused; empty if it was not."""


_Record = TypeVar("_Record", State, Status)


def load_record(path: Path, kind: type[_Record]) -> _Record | None:
    """The record in a file, None if there is none or it is from another version."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.MsgspecError):
        return None


def save_record(path: Path, record: State | Status) -> None:
    write_private(path, msgspec.json.format(msgspec.json.encode(record), indent=1))
