"""A file with a key a line: read again when it changes, and harmless when it is gone."""

from __future__ import annotations

import logging
from pathlib import Path

from serve_app.backends.secret import Secret
from serve_app.core.clock import Clock

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0

MAX_BYTES = 64 << 10


class KeyFile:
    """Watches one file.

    `trouble` says why what it holds cannot be used; empty: it can. The keys of before then stay.
    """

    def __init__(self, path: Path, backend: str, clock: Clock) -> None:
        self._path = path
        self._backend = backend
        self._clock = clock
        self._look_at = float("-inf")
        self._seen: tuple[int, int, int] | None = None
        self._is_empty = False
        self.trouble = ""

    def news(self) -> list[tuple[str, Secret]] | None:
        """Where each key stands, and the key; None if there is nothing new.

        Looks once a second at most: a `stat`, and a small read if that shows a change.
        """
        now = self._clock.monotonic()
        if now < self._look_at:
            return None
        self._look_at = now + LOOK_EVERY_S
        try:
            stat = self._path.stat()
            seen = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            keys = None if seen == self._seen else self._read()
        except OSError as error:
            self._tell(f"the key file cannot be read: {error.strerror}")
            return None
        self._seen = seen
        if keys is not None:
            self._is_empty = not keys
        self._tell("the key file holds no key" if self._is_empty else "")
        return keys or None

    def _read(self) -> list[tuple[str, Secret]]:
        with self._path.open("rb") as file:
            text = file.read(MAX_BYTES).decode(errors="replace")
        keys: list[tuple[str, Secret]] = []
        for number, line in enumerate(text.splitlines(), 1):
            key, where = Secret(line.split(" #")[0].strip()), f"line {number} of the key file"
            if not fits_header(key):
                log.error("backend %s: %s holds what no header may hold", self._backend, where)
            elif key and not key.startswith("#"):
                keys.append((where, key))
        return keys

    def _tell(self, trouble: str) -> None:
        if trouble and trouble != self.trouble:
            log.error("backend %s: %s", self._backend, trouble)
        self.trouble = trouble


def fits_header(key: str) -> bool:
    return key.isascii() and key.isprintable()
