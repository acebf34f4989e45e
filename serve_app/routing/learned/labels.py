"""Labelled examples: a JSON Lines file in, typed rows and a digest out.

One object a line, `{"prompt": str, "weak_correct": bool, "strong_correct": bool}`, perhaps with
a `source`; plain or gzipped. Whether an answer was right is for the caller to say: a label is
what his own test of both models found.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np

from serve_app.routing.learned.numbers import Floats

_GZIP_MAGIC: Final = b"\x1f\x8b"
_LONGEST_LINE: Final = 16 * 1024 * 1024


class LabelsRejected(ValueError):
    """A file of labels that cannot be used; names the file, the line and the field."""


class Example(msgspec.Struct, frozen=True):
    """A prompt, and whether the weak and the strong model answered it well."""

    prompt: str
    weak_correct: bool
    strong_correct: bool
    source: str = ""


class Labels(NamedTuple):
    """Examples in the order of their file."""

    examples: list[Example]
    digest: str
    """SHA-256 of the text, gzipped or not, in hex."""

    @property
    def prompts(self) -> list[str]:
        return [example.prompt for example in self.examples]

    @property
    def gains(self) -> Floats:
        """What the strong model wins over the weak one: 1, 0, or -1 where it does worse."""
        return self.strong - self.weak

    @property
    def weak(self) -> Floats:
        """1 where the weak model was right, else 0."""
        return np.array([example.weak_correct for example in self.examples], np.float64)

    @property
    def strong(self) -> Floats:
        """1 where the strong model was right, else 0."""
        return np.array([example.strong_correct for example in self.examples], np.float64)


def read_labels(path: Path) -> Labels:
    """All examples of a file.

    Raises:
        LabelsRejected: it cannot be read, has no example, or a line is not one.
    """
    digest = hashlib.sha256()
    examples: list[Example] = []
    decoder = msgspec.json.Decoder(Example)
    for number, line in _lines(path):
        digest.update(line)
        if line.strip():
            examples.append(_example(decoder, line, f"{path}:{number}"))
    if not examples:
        raise LabelsRejected(f"{path}: no examples; each line is one, as JSON")
    return Labels(examples, digest.hexdigest())


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with _opened(path) as file:
            number = 0
            while line := file.readline(_LONGEST_LINE):
                number += 1
                if len(line) == _LONGEST_LINE:
                    raise LabelsRejected(f"{path}:{number}: longer than {_LONGEST_LINE} bytes")
                yield number, line
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise LabelsRejected(f"{path}: cannot be read: {reason}") from error


def _opened(path: Path) -> gzip.GzipFile | BufferedReader:
    with path.open("rb") as file:
        is_zipped = file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
    return gzip.open(path, "rb") if is_zipped else path.open("rb")


def _example(decoder: msgspec.json.Decoder[Example], line: bytes, where: str) -> Example:
    try:
        example = decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LabelsRejected(f"{where}: {error}") from None
    if not example.prompt.strip():
        raise LabelsRejected(f"{where}: `prompt` is empty")
    return example
