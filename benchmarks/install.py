"""Installs each peer into a place of its own: `python -m benchmarks.install [--into DIR]`.

Idempotent: a peer whose recipe has not changed since it was installed is left alone. pip and
npm are used as they are configured on this machine.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from benchmarks import needs
from benchmarks.places import HERE, cache_folder

# Releases 1.107.x of LiteLLM were withdrawn from the index: never name one here.
LITELLM = "litellm==1.110.2"
SMG = "smg==1.13.0"
REQUIREMENTS = HERE / "peers" / "litellm-requirements.txt"
PORTKEY_PACKAGE = HERE / "peers" / "portkey-package.json"
INSTALL_LIMIT_S = 1800.0


class Recipe(NamedTuple):
    """How one peer is installed. `identity` changes whenever a fresh install is due."""

    name: str
    identity: str
    build: Callable[[Path], None]


def main() -> int:
    arguments = _arguments()
    console = Console()
    lacking = needs.missing()
    if lacking:
        console.print(needs.advice(lacking), style="red", markup=False)
        return 1
    for recipe in RECIPES:
        if not _install(recipe, arguments.into, console):
            return 1
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.install", description=__doc__)
    parser.add_argument(
        "--into",
        type=Path,
        default=cache_folder(),
        help="folder for the peers (default: SERVE_APP_BENCH_DIR, else %(default)s)",
    )
    return parser.parse_args()


def _install(recipe: Recipe, into: Path, console: Console) -> bool:
    """Bring one peer up to its recipe. False when its installer failed; its words are shown."""
    if is_installed(recipe, into):
        console.print(f"{recipe.name}: installed", markup=False)
        return True
    folder = into / recipe.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with console.status(f"{recipe.name}: installing into {folder}"):
        try:
            recipe.build(folder)
        except subprocess.CalledProcessError as error:
            console.print(
                f"{recipe.name}: failed\n{error.stdout[-3000:]}", style="red", markup=False
            )
            return False
    _stamp(folder).write_text(recipe.identity)
    console.print(f"{recipe.name}: installed into {folder}", markup=False)
    return True


def is_installed(recipe: Recipe, into: Path) -> bool:
    """True if the peer in `into` was installed, whole, by exactly this recipe."""
    stamp = _stamp(into / recipe.name)
    return stamp.is_file() and stamp.read_text() == recipe.identity


def _stamp(folder: Path) -> Path:
    return folder / "installed-by-recipe"


def _run(argv: list[str], cwd: Path) -> None:
    subprocess.run(
        argv,
        cwd=cwd,
        check=True,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        timeout=INSTALL_LIMIT_S,
    )


def _pip(folder: Path, *what: str) -> None:
    _run([sys.executable, "-m", "venv", str(folder / "venv")], folder)
    _run([str(folder / "venv/bin/python"), "-m", "pip", "install", *what], folder)


def _litellm(folder: Path) -> None:
    # LiteLLM's own [proxy] extra does not resolve from the index: its parts are listed instead.
    _pip(folder, LITELLM, "-r", str(REQUIREMENTS))


def _smg(folder: Path) -> None:
    _pip(folder, SMG)


def _portkey(folder: Path) -> None:
    shutil.copy(PORTKEY_PACKAGE, folder / "package.json")
    _run([needs.program("npm") or "npm", "install", "--no-audit", "--no-fund"], folder)


def _identity(*parts: str) -> str:
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return hashlib.sha256(json.dumps([python, *parts]).encode()).hexdigest()


RECIPES = (
    Recipe("litellm", _identity(LITELLM, REQUIREMENTS.read_text()), _litellm),
    Recipe("smg", _identity(SMG), _smg),
    Recipe("portkey", _identity(PORTKEY_PACKAGE.read_text()), _portkey),
)

if __name__ == "__main__":
    raise SystemExit(main())
