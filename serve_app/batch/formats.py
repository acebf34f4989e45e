"""The formats of tables: rows read in order, without holding a file in memory."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator
from typing import IO, Any, Final, Literal

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from serve_app.batch.failure import USAGE, BatchFailed
from serve_app.batch.places import Place

Format = Literal["jsonl", "csv", "parquet"]
Row = dict[str, Any]

ENDINGS: Final[dict[str, Format]] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".parquet": "parquet",
}
COMPRESSED: Final = {".gz": "gzip", ".bz2": "bz2", ".xz": "xz"}
"""Endings of compressed text, with fsspec's names for them."""

ALL_ENDINGS: Final = (
    *ENDINGS,
    *(kind + packed for kind in ENDINGS if kind != ".parquet" for packed in COMPRESSED),
)
_BATCH_ROWS: Final = 256
"""Rows of a Parquet file that are decoded at a time."""

csv.field_size_limit(sys.maxsize)


def compression_of(name: str) -> str | None:
    """fsspec's name for how a text file of this name is compressed."""
    return COMPRESSED.get(f".{name.lower().rpartition('.')[2]}")


def format_of(name: str, what: str) -> Format:
    """The format that a file's name says.

    Args:
        what: the option that named it, for the message.

    Raises:
        BatchFailed: none that is known.
    """
    lowered = name.lower()
    for ending in COMPRESSED:
        lowered = lowered.removesuffix(ending)
    kind = ENDINGS.get(f".{lowered.rpartition('.')[2]}")
    if kind is None or (kind == "parquet" and compression_of(name)):
        raise BatchFailed(
            f"{what}: {name!r} ends in none of {', '.join(ENDINGS)} (text also compressed: "
            f"{', '.join(COMPRESSED)})",
            USAGE,
        )
    return kind


def rows_of(place: Place, kind: Format) -> Iterator[Row]:
    """Every row of a file, in order.

    Raises:
        BatchFailed: the file is not of that format; names the line.
    """
    if kind == "parquet":
        for batch in record_batches(place):
            yield from batch.to_pylist()
        return
    with place.open() as stream:
        yield from _json_rows(stream, place) if kind == "jsonl" else _csv_rows(stream, place)


def record_batches(place: Place) -> Iterator[pa.RecordBatch]:
    """A Parquet file's rows, some at a time."""
    with place.open_raw() as stream:
        try:
            yield from pq.ParquetFile(stream).iter_batches(batch_size=_BATCH_ROWS)
        except pa.ArrowInvalid as error:
            raise BatchFailed(f"{place.path} is no Parquet file: {error}", USAGE) from None


def json_lines(stream: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank, with their numbers from 1."""
    for number, line in enumerate(stream, start=1):
        if line.strip():
            yield number, line


def _json_rows(stream: IO[bytes], place: Place) -> Iterator[Row]:
    decoder = msgspec.json.Decoder(dict[str, Any])
    for number, line in json_lines(stream):
        try:
            yield decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            message = f"{place.path}, line {number}: no JSON object: {error}"
            raise BatchFailed(message, USAGE) from None


def _csv_rows(stream: IO[bytes], place: Place) -> Iterator[Row]:
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    reader = csv.DictReader(text, strict=True)
    try:
        for row in reader:
            if None in row or None in row.values():
                raise BatchFailed(
                    f"{place.path}, line {reader.line_num}: not as many fields as the first line",
                    USAGE,
                )
            yield row
    except (csv.Error, UnicodeDecodeError) as error:
        message = f"{place.path}, line {reader.line_num}: {error}"
        raise BatchFailed(message, USAGE) from None
    finally:
        text.detach()
