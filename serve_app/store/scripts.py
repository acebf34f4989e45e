"""The Lua scripts of `lua/`, by name."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from msgspec import Struct

_FOLDER = Path(__file__).resolve().parent / "lua"
_INCLUDE = re.compile(rb"^-- include ([a-z]+)$", re.MULTILINE)


class Script(Struct, frozen=True, gc=False):
    name: str
    source: bytes
    sha: str
    """SHA-1 in hex: the name under which EVALSHA knows the script."""


def load_scripts(folder: Path = _FOLDER) -> dict[str, Script]:
    """Every `NAME.lua` of the folder; a line `-- include PART` in it stands for `parts/PART.lua`.
    Reads files: call it once, when starting."""
    return {path.stem: _read(path) for path in sorted(folder.glob("*.lua"))}


def _read(path: Path) -> Script:
    source = _INCLUDE.sub(
        lambda line: (path.parent / "parts" / f"{line[1].decode()}.lua").read_bytes(),
        path.read_bytes(),
    )
    return Script(path.stem, source, hashlib.sha1(source, usedforsecurity=False).hexdigest())
