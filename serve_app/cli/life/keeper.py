"""The embedded Valkey's keeper: starts it, brings it back when it dies, stops it last."""

from __future__ import annotations

from pathlib import Path

from serve_app.cli.failure import Failure
from serve_app.cli.life.processes import identify, is_alive
from serve_app.cli.life.records import ProcessRecord
from serve_app.store.embedded import EmbeddedValkey, EmbeddedValkeyError


class ValkeyKeeper:
    """One server on one folder."""

    def __init__(self, folder: Path) -> None:
        self._server = EmbeddedValkey(folder)
        self._process: ProcessRecord | None = None

    def start(self) -> None:
        """Start and wait until it answers.

        Raises:
            Failure: it does not start, or another one uses the folder.
        """
        try:
            self._server.start()
        except EmbeddedValkeyError as error:
            raise Failure(str(error)) from error
        pid = self._server.pid
        self._process = None if pid is None else identify(pid)

    @property
    def url(self) -> str:
        return self._server.url

    @property
    def pids(self) -> set[int]:
        return set() if self._process is None else {self._process.pid}

    def has_died(self) -> bool:
        return self._process is not None and not is_alive(self._process)

    def sync(self) -> None:
        """See `EmbeddedValkey.sync`."""
        self._server.sync()

    def stop(self) -> None:
        """Let it write its data and end."""
        self._server.stop()
