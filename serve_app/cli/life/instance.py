"""One gateway's place on this machine: its data folder, and who owns it at the moment."""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Mapping
from pathlib import Path

from serve_app.config.paths import data_dir


class Instance:
    """The files of a gateway. Two gateways on one machine have two data folders.

    `lock` is held by the supervisor for as long as it lives: whoever gets it knows that none does.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state.json"
        self.status = folder / "status.json"
        self.lock = folder / "lock"
        self.token = folder / "ray-token"
        self.valkey = folder / "valkey"
        self.logs = folder / "logs"
        self.log = self.logs / "supervisor.log"

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Instance:
        return cls(data_dir(environ))

    def make(self) -> None:
        """Make the folders, readable by their owner only.

        Raises:
            OSError: the place cannot be written.
        """
        for folder in (self.folder, self.logs):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)

    def acquire(self, patience_s: float = 0.5) -> int | None:
        """The lock as an open file descriptor, None if a supervisor holds it.

        Args:
            patience_s: others hold it for a moment only to see whether it is held.
        """
        descriptor = os.open(self.lock, os.O_CREAT | os.O_RDWR, 0o600)
        give_up_at = time.monotonic() + patience_s
        while not _locked(descriptor):
            if time.monotonic() >= give_up_at:
                os.close(descriptor)
                return None
            time.sleep(0.02)
        return descriptor

    def is_owned(self) -> bool:
        """True while a supervisor lives."""
        if not self.lock.exists():
            return False
        descriptor = self.acquire(0.0)
        if descriptor is None:
            return True
        os.close(descriptor)
        return False

    def ray_token(self) -> str:
        """The token for Ray's own interfaces; made at the first call."""
        if not self.token.exists():
            write_private(self.token, secrets.token_hex(32).encode())
        return self.token.read_text()


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def write_private(path: Path, content: bytes) -> None:
    """Replace a file at once, readable by its owner only: a reader sees the old or the new."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(new, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    new.replace(path)
