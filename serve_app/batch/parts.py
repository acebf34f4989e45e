"""The batch's memory: results in part files beside the output, and what they are results of.

    OUTPUT.parts/manifest.json            the terms, and how rows are cut into parts
    OUTPUT.parts/000000000500.jsonl       the results of rows 500 to 999, in order
    OUTPUT.parts/lock                     held by whoever works on it (on a local disk)

A part is replaced whole each time it grows, so a crash at any moment leaves only whole parts.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import msgspec
from msgspec import Struct

from serve_app.batch.failure import USAGE, BatchFailed
from serve_app.batch.order import fingerprint
from serve_app.batch.places import Place
from serve_app.batch.results import Result

_MANIFEST: Final = "manifest.json"
_LOCK: Final = "lock"
_ENDING: Final = ".jsonl"
_READABLE: Final = 80
"""Characters of a term that a message shows."""

_results = msgspec.json.Decoder(Result)


class Manifest(Struct, frozen=True):
    fingerprint: str
    terms: dict[str, Any]
    part_rows: int
    rows: int


class Parts:
    """The parts of one output.

    Args:
        output: the file that they are parts of.
    """

    def __init__(self, output: Place) -> None:
        self._output = output
        self._folder = output.beside(".parts")
        self.part_rows = 0

    @property
    def path(self) -> str:
        return self._folder.path

    @contextmanager
    def held(self) -> Iterator[None]:
        """While this is ours: nobody else works on the same output.

        Raises:
            BatchFailed: somebody does.
        """
        if not self._folder.is_local:
            yield
            return
        try:
            self._folder.make_folder()
            descriptor = os.open(self._folder.inside(_LOCK).path, os.O_CREAT | os.O_RDWR, 0o600)
        except OSError as error:
            raise BatchFailed(f"{self.path}: {error.strerror}") from error
        try:
            _lock(descriptor, self._output)
            yield
        finally:
            os.close(descriptor)

    def exists(self) -> bool:
        """Whether there is anything to go on with."""
        return self._folder.inside(_MANIFEST).exists()

    def open(
        self, terms: Mapping[str, Any], rows: int, part_rows: int, *, replace: bool = False
    ) -> None:
        """Begin, or go on with what is there.

        Args:
            replace: what is there goes if it was made on other terms.

        Raises:
            BatchFailed: it was, and it may not go.
        """
        manifest = self._manifest(replace=replace)
        if replace and manifest is not None and manifest.fingerprint != fingerprint(terms):
            self.clear()
            manifest = None
        if manifest is None:
            self._folder.make_folder()
            manifest = Manifest(fingerprint(terms), dict(terms), part_rows, rows)
            self._folder.inside(_MANIFEST).write(msgspec.json.encode(manifest))
        elif manifest.fingerprint != fingerprint(terms):
            raise BatchFailed(self._refusal(manifest.terms, terms), USAGE)
        self.part_rows = manifest.part_rows

    def load(self) -> Iterator[list[Result]]:
        """The results of each part, in order. A part that cannot be read counts as not there."""
        for name in self._folder.names():
            if name.endswith(_ENDING) and name.removesuffix(_ENDING).isdecimal():
                yield self.read(int(name.removesuffix(_ENDING)))

    def read(self, first: int) -> list[Result]:
        """The results of the part that begins with this row; none if there is no such part."""
        try:
            content = self._part(first).read()
            return [_results.decode(line) for line in content.splitlines()]
        except (OSError, msgspec.MsgspecError):
            return []

    def write(self, first: int, results: Iterable[Result]) -> None:
        """Replace the part that begins with this row."""
        lines = [msgspec.json.encode(result) for result in results]
        self._part(first).write(b"\n".join([*lines, b""]))

    def clear(self) -> None:
        """Forget the results, the manifest last: what a crash leaves is still ours."""
        names = [name for name in self._folder.names() if name not in (_MANIFEST, _LOCK)]
        for name in [*names, _MANIFEST]:
            self._folder.inside(name).remove()

    def remove(self) -> None:
        self._folder.remove()

    def _part(self, first: int) -> Place:
        return self._folder.inside(f"{first:012d}{_ENDING}")

    def _manifest(self, *, replace: bool) -> Manifest | None:
        place = self._folder.inside(_MANIFEST)
        if not place.exists():
            return None
        try:
            return msgspec.json.decode(place.read(), type=Manifest)
        except msgspec.MsgspecError:
            if replace:
                self.clear()
                return None
            raise BatchFailed(f"{place.path} is damaged; --overwrite begins anew", USAGE) from None

    def _refusal(self, before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
        changed = [
            f"{name} was {_short(before.get(name))}, is {_short(now.get(name))}"
            for name in sorted(before.keys() | now.keys())
            if before.get(name) != now.get(name)
        ]
        return (
            f"{self.path} holds the results of another batch ({'; '.join(changed)}): go on with "
            "that one as it was, choose another output, or begin anew with --overwrite"
        )


def _lock(descriptor: int, output: Place) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BatchFailed(f"Another batch works on {output.path} at this moment") from None


def _short(value: object) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _READABLE else f"{text[:_READABLE]}..."
