"""Batches on a disk while the database is away: a folder of files for each process.

A file is a row of frames: length and CRC-32 of a batch in MessagePack, then the batch. A batch is
there when its frame is on the disk (fsync). A process holds the lock of its folder as long as it
lives; the folders of those that died are emptied by whoever sees them first.
"""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
import shutil
import struct
import zlib
from collections.abc import Iterator
from io import BufferedRandom
from pathlib import Path
from typing import Final

import msgspec

from serve_app.records.rows import Batch

log = logging.getLogger(__name__)

_FILE_BYTES: Final = 8 << 20
_HEAD: Final = struct.Struct("<II")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Batch).decode


class SpoolFull(Exception):
    """There is no room for a batch."""


class Spool:
    """The folder of one process. It is made with the first batch.

    Args:
        root: holds the folders of all processes of this machine.
        max_bytes: in this process's folder.
    """

    def __init__(self, root: Path, max_bytes: int) -> None:
        self._root = root
        self._max_bytes = max_bytes
        self._folder: Path | None = None
        self._lock: int | None = None
        self._file: BufferedRandom | None = None
        self._number = 0
        self._rows_in: dict[str, int] = {}
        self._bytes = 0

    @property
    def rows(self) -> int:
        """That this process has put here and not taken out."""
        return sum(self._rows_in.values())

    def put(self, batch: Batch) -> None:
        """Keep a batch.

        Raises:
            SpoolFull
            OSError: the disk is full, or does not let us.
        """
        payload = _encode(batch)
        size = _HEAD.size + len(payload)
        if self._bytes + size > self._max_bytes:
            raise SpoolFull(f"{self._bytes} bytes of records wait on the disk")
        file = self._open()
        began = file.tell()
        try:
            file.write(_HEAD.pack(len(payload), zlib.crc32(payload)) + payload)
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            file.seek(began)
            file.truncate()
            raise
        self._bytes += size
        name = Path(file.name).name
        self._rows_in[name] = self._rows_in.get(name, 0) + len(batch)
        if file.tell() >= _FILE_BYTES:
            self._close_file()

    def files(self) -> list[Path]:
        """What is to be read, oldest first; nothing is added to them any more."""
        self._close_file()
        return [] if self._folder is None else sorted(self._folder.glob("*.spool"))

    def done(self, file: Path) -> None:
        """Forget a file: the database has what was in it."""
        size = file.stat().st_size
        file.unlink()
        if file.parent == self._folder:
            self._bytes -= size
            self._rows_in.pop(file.name, None)

    def orphans(self) -> Iterator[Path]:
        """Files of processes that died, oldest first; nobody else reads them meanwhile."""
        if not self._root.is_dir():
            return
        for folder in sorted(self._root.iterdir()):
            if folder == self._folder or (lock := _locked(folder)) is None:
                continue
            try:
                yield from sorted(folder.glob("*.spool"))
                if not any(folder.glob("*.spool")):
                    shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)

    def close(self) -> None:
        """Let others have what is left."""
        self._close_file()
        if self._folder is not None and not any(self._folder.glob("*.spool")):
            shutil.rmtree(self._folder, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
        self._folder = self._lock = None

    def _open(self) -> BufferedRandom:
        if self._file is None:
            folder = self._folder or self._claim()
            self._number += 1
            self._file = (folder / f"{self._number:08d}.spool").open("x+b")
            _sync(folder)
        return self._file

    def _claim(self) -> Path:
        """A folder of our own, locked before anybody can think it is a dead one's."""
        while True:
            folder = self._root / secrets.token_hex(8)
            folder.mkdir(parents=True)
            (folder / "lock").touch()
            self._lock = _locked(folder)
            if self._lock is not None:
                if (folder / "lock").exists():
                    self._folder = folder
                    return folder
                os.close(self._lock)

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _sync(folder: Path) -> None:
    """Have the disk know which files there are."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def batches(file: Path) -> Iterator[Batch]:
    """The batches in a file. One that was not written to its end is left out, and that is said: its
    process died, or the disk failed, before it was told that the batch was safe."""
    content = file.read_bytes()
    at = 0
    while at < len(content):
        head = content[at : at + _HEAD.size]
        if len(head) == _HEAD.size:
            size, checksum = _HEAD.unpack(head)
            payload = content[at + _HEAD.size : at + _HEAD.size + size]
            if len(payload) == size and zlib.crc32(payload) == checksum:
                at += _HEAD.size + size
                try:
                    yield _decode(payload)
                except msgspec.DecodeError as error:
                    log.error("a batch in %s is lost: %s", file.name, error)
                continue
        log.warning("%s ends with %d bytes that are no batch", file.name, len(content) - at)
        return


def _locked(folder: Path) -> int | None:
    """The lock of a folder, held until it is closed; None: its process lives."""
    try:
        lock = os.open(folder / "lock", os.O_RDWR)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    return lock
