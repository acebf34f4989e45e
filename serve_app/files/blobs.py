"""Content by name: bytes to any file system that fsspec knows, all of a file or nothing."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import AsyncGenerator
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self

import fsspec  # it comes without types
from fsspec.implementations.local import (  # see above
    LocalFileSystem,
)

from serve_app.core.errors import PolicyRejected
from serve_app.files.threads import Threads

PIECE: Final = 256 << 10
"""Bytes that are read or written at a time: a thread is changed to for each."""

_REMOTE_BLOCK: Final = 8 << 20
"""Of what is far away: the least part of an S3 upload is 5 MiB."""

_UNFINISHED: Final = ".part"
"""What a local file's name ends with until it is whole."""

_SEGMENT: Final = re.compile(r"[A-Za-z0-9_~%!-][A-Za-z0-9_.~%!-]{0,200}")


class Blobs:
    """Content under names such as `t-acme/file-1/0f3c`. Every method may raise `OSError`.

    Args:
        url: an address of fsspec; a plain path is a local folder.
        options: for the driver.
        threads: reads and writes at once.

    Raises:
        PolicyRejected: there is no driver for it, or it refuses the options.
    """

    def __init__(self, url: str, options: dict[str, Any], threads: int) -> None:
        try:
            # What another process wrote must be seen at once.
            self._fs, self._root = fsspec.url_to_fs(url, use_listings_cache=False, **options)
        except (ImportError, ValueError, TypeError) as error:
            raise PolicyRejected(f"files.url {url!r} cannot be used: {error}") from error
        self._is_local = isinstance(self._fs, LocalFileSystem)
        self._threads = Threads(threads)

    def writing(self, name: str) -> Writing:
        """Writes a blob; use it in an `async with`."""
        return Writing(self._fs, self._path(name), self._threads, is_local=self._is_local)

    async def read(
        self, name: str, start: int = 0, end: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        """A blob, or a part of it, in pieces. Close it.

        Raises:
            FileNotFoundError: there is none.
        """
        file = await self._threads.run(self._opened, self._path(name), start)
        try:
            left = end - start if end is not None else None
            while left is None or left > 0:
                size = PIECE if left is None else min(PIECE, left)
                if not (piece := await self._threads.run(file.read, size)):
                    return
                left = None if left is None else left - len(piece)
                yield piece
        finally:
            await self._threads.run(file.close)

    async def size(self, name: str) -> int:
        """Bytes of a blob.

        Raises:
            FileNotFoundError: there is none.
        """
        return int(await self._threads.run(self._fs.size, self._path(name)))

    async def delete(self, name: str) -> None:
        """Delete a blob, or all below a name; it need not be there."""
        await self._threads.run(self._gone, self._path(name))

    def close(self) -> None:
        self._threads.close()

    def _opened(self, path: str, start: int) -> Any:
        file = self._fs.open(path, "rb", block_size=_REMOTE_BLOCK)
        try:
            if start:
                file.seek(start)
        except BaseException:
            file.close()
            raise
        return file

    def _gone(self, path: str) -> None:
        if self._is_local:
            _gone_here(path)
            return
        with suppress(FileNotFoundError):
            self._fs.rm(path, recursive=True)

    def _path(self, name: str) -> str:
        """
        Raises:
            ValueError: no name of ours.
        """
        for segment in name.split("/"):
            if _SEGMENT.fullmatch(segment) is None:
                raise ValueError(f"no name of a blob: {name[:80]!r}")
        return f"{self._root.rstrip('/')}/{name}"


class Writing:
    """A blob that is being written, by nobody else: it is there, whole, when `keep` is over, or not
    at all.

    On a local disk it has another name until it is whole and on the disk. Elsewhere the driver
    makes it visible in one step.
    """

    def __init__(self, fs: Any, path: str, threads: Threads, *, is_local: bool) -> None:
        self._fs = fs
        self._path = path
        self._threads = threads
        self._is_local = is_local
        self._beside = path + _UNFINISHED
        self._file: Any = None
        self._waiting = bytearray()

    async def __aenter__(self) -> Self:
        self._file = await self._threads.run(self._opened)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            await asyncio.shield(self._threads.run(self._discarded, self._file))

    async def write(self, data: bytes) -> None:
        """Take some bytes more."""
        self._waiting += data
        if len(self._waiting) >= PIECE:
            ready, self._waiting = self._waiting, bytearray()
            await self._threads.run(self._file.write, ready)

    async def keep(self) -> None:
        """All of it has been written."""
        await self._threads.run(self._kept, self._file, self._waiting)
        self._file = None

    def _opened(self) -> Any:
        if self._is_local:
            os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
            return open(self._beside, "wb")
        return self._fs.open(self._path, "wb", autocommit=False, block_size=_REMOTE_BLOCK)

    def _kept(self, file: Any, rest: bytearray) -> None:
        file.write(rest)
        if not self._is_local:
            file.close()
            file.commit()
            return
        file.flush()
        os.fsync(file.fileno())
        file.close()
        os.replace(self._beside, self._path)
        _settle(os.path.dirname(self._path))

    def _discarded(self, file: Any) -> None:
        if self._is_local:
            file.close()
            _forget(self._beside)
        else:
            file.discard()
            file.closed = True  # else it tries to send what is left when it is collected


def _settle(folder: str) -> None:
    """Have the folder's own change on the disk: a name in it is else not safe from a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _forget(path: str) -> None:
    with suppress(FileNotFoundError):
        os.remove(path)


def _gone_here(path: str) -> None:
    """A folder; or a local file, whole or not, and the folder it was the last of."""
    if os.path.isdir(path):
        shutil.rmtree(path)
        return
    _forget(path)
    _forget(path + _UNFINISHED)
    with suppress(OSError):  # it does not exist, or has more in it
        os.rmdir(os.path.dirname(path))
