"""What a gateway left behind when its supervisor was killed: found, and ended."""

from __future__ import annotations

import shutil
from pathlib import Path

import psutil

from serve_app.cli.life import processes
from serve_app.cli.life.instance import Instance
from serve_app.cli.life.records import ProcessRecord, State, load_record
from serve_app.store.embedded import EmbeddedValkey

_PATIENCE_S = 10.0


def clean(instance: Instance) -> int:
    """End what the state file says is ours. The caller holds the instance's lock.

    Returns:
        How many processes there were.
    """
    state = load_record(instance.state, State)
    if state is None:
        return 0
    left = [] if state.boot_id != processes.boot_id() else _living(state)
    valkey = EmbeddedValkey(instance.valkey)
    keeper = valkey.pid if any(p.name.startswith("valkey") for p in left) else None
    processes.end([p for p in left if p.pid != keeper], patience_s=_PATIENCE_S)
    if keeper is not None:
        valkey.stop()
    processes.end(left, patience_s=_PATIENCE_S)
    remove_runtime(state.runtime, None)
    instance.state.unlink(missing_ok=True)
    return len(left)


def _living(state: State) -> list[ProcessRecord]:
    """The recorded processes that live, everything below them, everything with our marker."""
    found = {p.pid: p for p in state.processes if processes.is_alive(p)}
    for process in list(found.values()):
        found |= {p.pid: p for p in processes.descendants(process.pid)}
    found |= {p.pid: p for p in processes.marked(state.marker)}
    found.pop(psutil.Process().pid, None)
    return list(found.values())


def remove_runtime(runtime: str, keep_logs_in: Path | None) -> None:
    """Remove Ray's session folder; its logs replace the last ones kept in `keep_logs_in`."""
    folder = Path(runtime)
    # Only what we made ourselves: see `supervisor.make_runtime`.
    if not runtime or not folder.name.startswith("serve-app-") or not folder.is_dir():
        return
    logs = folder / "r" / "session_latest" / "logs"
    if keep_logs_in is not None and logs.is_dir():
        shutil.rmtree(keep_logs_in, ignore_errors=True)
        shutil.copytree(logs, keep_logs_in, dirs_exist_ok=True, ignore_dangling_symlinks=True)
    shutil.rmtree(folder, ignore_errors=True)
