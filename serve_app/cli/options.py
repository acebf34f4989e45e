"""Options that several commands share, and how their values are found."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from serve_app.cli.failure import USAGE, Failure
from serve_app.config.shipped import shipped

Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        envvar="SERVE_APP_CONFIG",
        help="A Serve file, or the name of a shipped one (personal, small-team, enterprise, "
        "large-scale). Default: personal.",
    ),
]
Overlay = Annotated[
    list[Path] | None,
    typer.Option(
        help="A file merged onto the configuration, or the name of a shipped one "
        "(small-machine); may be given several times."
    ),
]
Port = Annotated[
    int | None,
    typer.Option(
        "--port",
        "-p",
        envvar="SERVE_APP_PORT",
        min=1,
        max=65535,
        help="Port to serve on; wins over the configuration.",
    ),
]
Url = Annotated[
    str | None,
    typer.Option(help="Address of a gateway; default: the one that runs on this machine."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def config_file(chosen: Path | None) -> Path:
    """The configuration file that is meant.

    Raises:
        Failure: there is no such file, and no shipped one of that name.
    """
    return shipped("personal.yaml") if chosen is None else _find(chosen, "")


def overlay_files(chosen: list[Path] | None) -> tuple[Path, ...]:
    """Like `config_file`, for overlays."""
    return tuple(_find(path, "overlays/") for path in chosen or ())


def _find(chosen: Path, folder: str) -> Path:
    if chosen.is_file():
        return chosen
    try:
        return shipped(f"{folder}{chosen}.yaml" if not chosen.suffix else str(chosen))
    except FileNotFoundError:
        raise Failure(f"There is no configuration file {str(chosen)!r}", USAGE) from None
