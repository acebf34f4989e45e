"""The end of a batch: input and results side by side, written as one file in the input's order."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import IO, Any, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from serve_app.batch.failure import USAGE, BatchFailed
from serve_app.batch.formats import (
    Format,
    Row,
    compression_of,
    format_of,
    json_lines,
    record_batches,
    rows_of,
)
from serve_app.batch.parts import Parts
from serve_app.batch.places import Place, Replacement
from serve_app.batch.results import Result
from serve_app.batch.survey import ADDED, InputFile, Survey

_CHUNK_ROWS: Final = 1000
"""Rows that are turned into Arrow at a time."""


class Join:
    """Writes the output.

    Args:
        prefix: before the names of the added columns.
    """

    def __init__(self, found: Survey, parts: Parts, prefix: str) -> None:
        self._found = found
        self._parts = parts
        self._names = [prefix + name for name in ADDED]

    def write(self, output: Place) -> None:
        """The output is there whole afterwards, or as it was before.

        Raises:
            BatchFailed: the input is not what it was, or does not fit the output's format.
        """
        kind = format_of(output.name, "--output")
        packed = None if kind == "parquet" else compression_of(output.name)
        with Replacement(output, compression=packed) as file:
            if kind == "jsonl":
                self._write_json(file)
            elif kind == "csv":
                self._write_csv(file)
            else:
                self._write_parquet(file)

    def _write_json(self, file: IO[bytes]) -> None:
        encoder = msgspec.json.Encoder()
        rows = _raw_rows if self._found.kind == "jsonl" else rows_of
        for row, result in self._pairs(rows):
            file.write(encoder.encode({**row, **self._added(result)}) + b"\n")

    def _write_csv(self, file: IO[bytes]) -> None:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        writer = csv.DictWriter(text, [*self._found.columns, *self._names], lineterminator="\n")
        writer.writeheader()
        for row, result in self._pairs(rows_of):
            cells = {name: _cell(value) for name, value in {**row, **self._added(result)}.items()}
            writer.writerow(cells)
        text.flush()
        text.detach()

    def _write_parquet(self, file: IO[bytes]) -> None:
        if self._found.kind == "parquet":
            self._append_columns(file)
            return
        schema = self._schema()
        with pq.ParquetWriter(file, schema) as writer:
            for chunk in self._chunks():
                writer.write_table(pa.Table.from_pylist(chunk, schema=schema))

    def _append_columns(self, file: IO[bytes]) -> None:
        """The input's own columns, untouched, and ours behind them."""
        added = pa.schema([(name, pa.string()) for name in self._names])
        writer: pq.ParquetWriter | None = None
        try:
            for batch, results in self._batches():
                columns = self._columns(results)
                fields = [*batch.schema, *added]
                schema = pa.schema(fields, metadata=batch.schema.metadata)
                table = pa.Table.from_arrays([*batch.columns, *columns], schema=schema)
                writer = writer or pq.ParquetWriter(file, schema)
                writer.write_table(table)
        except (pa.ArrowInvalid, ValueError) as error:
            raise BatchFailed(f"The input's files do not have the same columns: {error}") from None
        finally:
            if writer is not None:
                writer.close()

    def _columns(self, results: list[Result]) -> list[pa.Array]:
        added = [self._added(result) for result in results]
        return [pa.array([one[name] for one in added], pa.string()) for name in self._names]

    def _batches(self) -> Iterator[tuple[pa.RecordBatch, list[Result]]]:
        results = self._results()
        for place, file in zip(self._found.places, self._found.files, strict=True):
            left = file.rows
            for batch in record_batches(place):
                part = batch.slice(0, min(left, batch.num_rows))
                left -= part.num_rows
                if part.num_rows:
                    yield part, list(islice(results, part.num_rows))
            self._require_whole(place, left)

    def _schema(self) -> pa.Schema:
        """That fits all rows: one more pass, since any row may have what no other has."""
        schema: pa.Schema | None = None
        try:
            for chunk in self._chunks():
                here = pa.Table.from_pylist(_widened(chunk)).schema
                schema = (
                    here
                    if schema is None
                    else pa.unify_schemas([schema, here], promote_options="permissive")
                )
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise BatchFailed(
                f"A column holds values of several types, which Parquet cannot: {error}; name an "
                "output that ends in .jsonl",
                USAGE,
            ) from None
        assert schema is not None
        for name in self._names:  # nulls alone would have no type
            schema = schema.set(schema.get_field_index(name), pa.field(name, pa.string()))
        return schema

    def _chunks(self) -> Iterator[list[Row]]:
        rows = ({**row, **self._added(result)} for row, result in self._pairs(rows_of))
        while chunk := list(islice(rows, _CHUNK_ROWS)):
            yield chunk

    def _pairs(self, read: Any) -> Iterator[tuple[Row, Result]]:
        results = self._results()
        for place, file in zip(self._found.places, self._found.files, strict=True):
            yield from self._pairs_of(file, place, read(place, self._found.kind), results)

    def _pairs_of(
        self, file: InputFile, place: Place, rows: Iterator[Row], results: Iterator[Result]
    ) -> Iterator[tuple[Row, Result]]:
        count = 0
        for row in islice(rows, file.rows):
            yield row, next(results)
            count += 1
        self._require_whole(place, file.rows - count)

    def _require_whole(self, place: Place, missing: int) -> None:
        if missing:
            raise BatchFailed(f"{place.path} has changed while the batch ran: {missing} rows fewer")

    def _results(self) -> Iterator[Result]:
        for results in self._parts.load():
            yield from results

    def _added(self, result: Result) -> Mapping[str, str | None]:
        values = (result.response, result.finish_reason or None, result.error)
        return dict(zip(self._names, values, strict=True))


def _raw_rows(place: Place, kind: Format) -> Iterator[Row]:
    """Rows of a JSONL file whose values stay as they were written."""
    decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
    with place.open() as stream:
        for _, line in json_lines(stream):
            yield decoder.decode(line)


def _widened(chunk: list[Row]) -> list[Row]:
    """Every row with every column: Arrow takes the columns of the first."""
    names = dict.fromkeys(name for row in chunk for name in row)
    return [{**dict.fromkeys(names), **row} for row in chunk]


def _cell(value: object) -> object:
    """CSV has text only: what is nested becomes JSON."""
    if isinstance(value, dict | list | bool):
        return msgspec.json.encode(value).decode()
    return value
