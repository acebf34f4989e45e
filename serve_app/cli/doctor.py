"""`serve-app doctor`: is this machine fit, and what is missing?"""

from __future__ import annotations

import json
import os

from rich.console import Console
from rich.table import Table

from serve_app.cli import options
from serve_app.cli.checkup import checkup
from serve_app.cli.failure import ENVIRONMENT
from serve_app.cli.life.instance import Instance
from serve_app.cli.up import read

_MARKS = {"ok": "[green]ok[/]", "note": "[yellow]note[/]", "missing": "[red]missing[/]"}


def doctor(
    config: options.Config = None,
    overlay: options.Overlay = None,
    port: options.Port = None,
    as_json: options.AsJson = False,
) -> None:
    """Check the machine for a configuration. Exit code 1 if something needed is missing.

    \b
    Examples:
      serve-app doctor
      serve-app doctor --config enterprise --json
    """
    deployment = read(config, overlay, port, None)
    findings = checkup(deployment, Instance.of(os.environ), os.environ)
    if as_json:
        print(json.dumps([finding._asdict() for finding in findings], indent=2))
    else:
        table = Table.grid(padding=(0, 2))
        for finding in findings:
            table.add_row(_MARKS[finding.verdict], finding.name, finding.detail)
        Console().print(table)
    if any(finding.verdict == "missing" for finding in findings):
        raise SystemExit(ENVIRONMENT)
