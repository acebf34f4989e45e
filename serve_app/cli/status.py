"""`serve-app status`: whether a gateway runs on this machine, and how it is."""

from __future__ import annotations

import json
import os
from typing import Any

from rich.console import Console

from serve_app.cli import options
from serve_app.cli.life.instance import Instance
from serve_app.cli.life.processes import boot_id, is_alive
from serve_app.cli.life.records import State, Status, load_record
from serve_app.cli.summary import backend_lines, readiness, unsaid


def status(as_json: options.AsJson = False) -> None:
    """Show whether the gateway runs, and how it is. Exit code 1 if it is not ready.

    \b
    Examples:
      serve-app status
      serve-app status --json
    """
    instance = Instance.of(os.environ)
    view = look(instance)
    if as_json:
        print(json.dumps(view, indent=2))
    else:
        _print(view)
    if view["phase"] != "ready":
        raise SystemExit(1)


def look(instance: Instance) -> dict[str, Any]:
    """Everything that is known, ready for JSON."""
    record = load_record(instance.status, Status)
    state = load_record(instance.state, State)
    phase = _phase(instance, record, state)
    address = state.address if state is not None else ""
    said = readiness(address) if address and phase in ("ready", "draining", "orphaned") else {}
    return {
        "phase": phase,
        "address": address,
        "folder": str(instance.folder),
        "supervisor": state.supervisor.pid if state is not None else None,
        "processes": len(state.processes) if state is not None else 0,
        "files": state.files if state is not None else [],
        "notices": record.notices if record is not None else [],
        "error": record.error if record is not None else "",
        "gateway": said,
    }


def _phase(instance: Instance, record: Status | None, state: State | None) -> str:
    """What the supervisor says, unless it is dead: then `orphaned` or `stopped`."""
    if instance.is_owned():
        return record.phase if record is not None else "starting"
    if state is None or state.boot_id != boot_id():
        return record.phase if record is not None and record.phase == "failed" else "stopped"
    return "orphaned" if any(is_alive(p) for p in state.processes) else "stopped"


def _print(view: dict[str, Any]) -> None:
    console = Console()
    where = f" at {view['address']}" if view["address"] else ""
    console.print(f"{view['phase']}{where}", highlight=False)
    if view["phase"] == "orphaned":
        console.print("  its supervisor was killed; serve-app down ends what is left")
    backends = backend_lines(view["gateway"])
    for line in [*backends, *unsaid(view["notices"], backends), view["error"]]:
        if line:
            console.print(f"  {line}", highlight=False, markup=False, soft_wrap=True)
    console.print(f"  {view['processes']} processes, data in {view['folder']}", highlight=False)
