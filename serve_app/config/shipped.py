"""Where the files of `configs/` are: beside the package in a checkout, inside it in a wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def shipped(name: str) -> Path:
    """Path of a shipped configuration file such as `prices.yaml` or `words/en.txt`.

    Raises:
        FileNotFoundError: no such file, or the name tries to leave the folder.
    """
    for root in (_PACKAGE / "_configs", _PACKAGE.parent / "configs"):
        path = (root / name).resolve()
        if path.is_relative_to(root) and path.is_file():
            return path
    raise FileNotFoundError(f"{name!r} is not among the shipped configuration files")
