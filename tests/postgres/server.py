"""A PostgreSQL of the tests' own: started on a free port, killed and started again at will.

The programs are Debian's (package `postgresql`). They refuse to run as root, so root lets another
user run them.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

_START_LIMIT_S = 30.0
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",  # a process that is killed loses nothing; only a machine would
    "max_connections": "60",
    "shared_buffers": "16MB",
}


def programs() -> Path | None:
    """The folder with `initdb` and `postgres`; None where they are not installed."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), reverse=True)
    on_path = shutil.which("postgres")
    found = debian[0] if debian else None if on_path is None else Path(on_path).resolve()
    return None if found is None else found.parent


class Postgres:
    """One server with a user `tests` that needs no password, and as many databases as are made."""

    def __init__(self) -> None:
        folder = programs()
        assert folder is not None, "PostgreSQL is missing: apt-get install postgresql"
        self._programs = folder
        self._folder = Path(tempfile.mkdtemp(prefix="serve-app-pg-"))
        self._data = self._folder / "data"
        self._as_user = _as_another(self._folder)
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0
        self.port = _free_port()
        made = self._run("initdb", "-D", str(self._data), "-U", "tests", "-A", "trust",
                         "--no-sync", "--encoding", "UTF8", "--locale", "C")  # fmt: skip
        assert made.returncode == 0, made.stderr.decode()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        words = [str(self._programs / "postgres"), "-D", str(self._data), "-p", str(self.port)]
        words += ["-k", str(self._folder)]
        for name, value in _SETTINGS.items():
            words += ["-c", f"{name}={value}"]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._as_user, *words], stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        until = time.monotonic() + _START_LIMIT_S
        while self._run("pg_isready", "-h", "127.0.0.1", "-p", str(self.port)).returncode:
            assert self._process.poll() is None, (self._folder / "log").read_text()
            assert time.monotonic() < until, "PostgreSQL does not answer"
            time.sleep(0.05)

    def kill(self) -> None:
        """End it as a crash would: at once, whatever is under way."""
        self._stop("immediate")

    def close(self) -> None:
        """End it, and forget all that it kept."""
        if self._process is not None:
            self._stop("immediate")
        shutil.rmtree(self._folder, ignore_errors=True)

    def database(self) -> str:
        """The URL of a new database."""
        self._databases += 1
        name = f"records{self._databases}"
        made = self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "tests", name)
        assert made.returncode == 0, made.stderr.decode()
        return f"postgresql+psycopg://tests@127.0.0.1:{self.port}/{name}"

    def _stop(self, how: str) -> None:
        assert self._process is not None
        self._run("pg_ctl", "stop", "-D", str(self._data), "-m", how)
        self._process.wait(_START_LIMIT_S)
        self._process = None

    def _run(self, program: str, *words: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*self._as_user, str(self._programs / program), *words],
            capture_output=True, timeout=_START_LIMIT_S, check=False, cwd="/",
        )  # fmt: skip


def _as_another(folder: Path) -> list[str]:
    """What a command begins with so that it does not run as root, who gives the folder away."""
    if os.geteuid() != 0:
        return []
    users = {user.pw_name for user in pwd.getpwall()}
    name = "postgres" if "postgres" in users else "nobody"
    user = pwd.getpwnam(name)
    os.chown(folder, user.pw_uid, user.pw_gid)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
