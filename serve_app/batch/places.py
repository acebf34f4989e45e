"""Files wherever they are: local paths and fsspec addresses, read in streams, replaced whole."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import IO, Any, NamedTuple

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from serve_app.batch.failure import USAGE, BatchFailed


class Place(NamedTuple):
    """A file or a folder."""

    fs: Any
    """fsspec's file system, which is untyped."""
    path: str

    @classmethod
    def at(cls, address: str) -> Place:
        """Raises:
        BatchFailed: nothing here can read such an address.
        """
        try:
            fs, path = url_to_fs(address)
        except (ImportError, ValueError) as error:
            raise BatchFailed(f"{address}: {error}", USAGE) from None
        return cls(fs, path)

    @property
    def is_local(self) -> bool:
        return isinstance(self.fs, LocalFileSystem)

    @property
    def name(self) -> str:
        return self.path.rstrip("/").rpartition("/")[2]

    def beside(self, ending: str) -> Place:
        """The place whose name has `ending` after this one's."""
        return Place(self.fs, self.path + ending)

    def inside(self, name: str) -> Place:
        return Place(self.fs, f"{self.path.rstrip('/')}/{name}")

    def exists(self) -> bool:
        return bool(self.fs.exists(self.path))

    def read(self) -> bytes:
        content: bytes = self.fs.cat_file(self.path)
        return content

    def open(self) -> IO[bytes]:
        """For reading; what its ending says is compressed is unpacked."""
        stream: IO[bytes] = self.fs.open(self.path, "rb", compression="infer")
        return stream

    def open_raw(self) -> IO[bytes]:
        """For reading, as it is stored."""
        stream: IO[bytes] = self.fs.open(self.path, "rb")
        return stream

    def names(self) -> list[str]:
        """Of the files in this folder; none if there is no folder."""
        self.fs.invalidate_cache()
        if not self.exists():
            return []
        return sorted(str(path).rpartition("/")[2] for path in self.fs.ls(self.path, detail=False))

    def make_folder(self) -> None:
        self.fs.makedirs(self.path, exist_ok=True)

    def remove(self) -> None:
        if self.exists():
            self.fs.rm(self.path, recursive=True)

    def write(self, content: bytes) -> None:
        """Replace a file at once: whoever reads it, or a crash, finds the old or the new whole.

        On a local disk it has arrived there when this returns; an object store replaces whole
        objects anyway.
        """
        if not self.is_local:
            self.fs.pipe_file(self.path, content)
            return
        with Replacement(self) as file:
            file.write(content)


class Replacement:
    """A file that takes another's place when the block ends well."""

    def __init__(self, place: Place, *, compression: str | None = None) -> None:
        self._place = place
        self._compression = compression
        self._file: IO[bytes] | None = None
        # An object store shows a new object when it is closed, so it needs no second name.
        ending = f".{uuid.uuid4().hex[:8]}.new" if place.is_local else ""
        self._new = f"{place.path}{ending}"

    def __enter__(self) -> IO[bytes]:
        opened: IO[bytes] = self._place.fs.open(self._new, "wb", compression=self._compression)
        self._file = opened
        return opened

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        assert self._file is not None
        if kind is not None:
            self._forget()
            return
        self._file.close()
        if self._place.is_local:
            to_disk(Path(self._new))
            Path(self._new).replace(self._place.path)
            to_disk(Path(self._place.path).parent)

    def _forget(self) -> None:
        """Leave nothing of a file that was not finished."""
        assert self._file is not None
        if self._place.is_local:
            self._file.close()
            Path(self._new).unlink(missing_ok=True)
        elif discard := getattr(self._file, "discard", None):  # else closing would show it
            discard()


def to_disk(path: Path) -> None:
    """What the system holds of a file or a folder's names is on the disk afterwards."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def expand(address: str, endings: tuple[str, ...]) -> list[Place]:
    """The files that an address means, in the order of their names.

    Args:
        endings: of the files that count in a folder.

    Raises:
        BatchFailed: there is none.
    """
    place = Place.at(address)
    if any(mark in address for mark in "*?["):
        found = [str(path) for path in place.fs.glob(place.path)]
    elif place.fs.isdir(place.path):
        inside = (str(path) for path in place.fs.ls(place.path, detail=False))
        found = [path for path in inside if path.lower().endswith(endings)]
    else:
        found = [place.path] if place.exists() else []
    if not found:
        raise BatchFailed(f"There is no {address!r}", USAGE)
    return [Place(place.fs, path) for path in sorted(found)]


def absolute(address: str) -> str:
    """The same place named so that another process in another folder finds it."""
    if "://" in address or "::" in address:
        return address
    return os.path.abspath(os.path.expanduser(address))
