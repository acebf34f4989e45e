"""The first look at the input, before anything is spent: every row read once, nothing asked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import islice
from typing import Final

from msgspec import Struct, field

from serve_app.batch.failure import USAGE, BatchFailed
from serve_app.batch.formats import ALL_ENDINGS, Format, Row, format_of, rows_of
from serve_app.batch.order import Order
from serve_app.batch.places import Place, expand
from serve_app.batch.results import Result
from serve_app.batch.template import BadRow, Prompter

_CHUNK: Final = 1 << 20
_SHOWN: Final = 3
_MOST_BAD: Final = 100_000
"""Rows without a prompt that are put up with; more is an input that was not meant."""

ADDED: Final = ("response", "finish_reason", "error")
"""The columns of the output beside the input's, before `--prefix`."""

BAD_ROW: Final = "bad_row"
"""Kind of the error of a row that no request could be made of."""


class InputFile(Struct, frozen=True):
    """A file of the input."""

    name: str
    sha256: str
    first: int
    """Number of its first row in the whole input."""
    rows: int


class Survey(Struct):
    """What the input holds."""

    kind: Format
    places: list[Place]
    files: list[InputFile] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    """Of any row, in the order in which they were met."""
    rows: int = 0
    bad: list[Result] = field(default_factory=list)
    message_bytes: int = 0
    """Of all rows' messages as JSON."""
    shown: list[bytes] = field(default_factory=list)
    """Messages of the first rows."""
    prompter: Prompter | None = None

    def identity(self) -> list[dict[str, object]]:
        """What tells this input from another, for the manifest."""
        return [{"name": f.name, "sha256": f.sha256, "rows": f.rows} for f in self.files]

    @property
    def mean_bytes(self) -> int:
        """Of a row's messages."""
        return max(1, self.message_bytes // max(1, self.rows - len(self.bad)))


def survey(order: Order) -> Survey:
    """Read the input once.

    Raises:
        BatchFailed: it is not there, not of its format, or does not fit the order.
    """
    places = expand(order.input, ALL_ENDINGS)
    kinds = {format_of(place.name, "INPUT") for place in places}
    if len(kinds) > 1:
        raise BatchFailed(f"{order.input}: files of one format, not {sorted(kinds)}", USAGE)
    found = Survey(kinds.pop(), places)
    seen: dict[str, None] = {}
    for place in places:
        first, left = found.rows, _left(order.limit, found.rows)
        for row in islice(rows_of(place, found.kind), left):
            _look_at(found, row, seen, order)
        found.files.append(InputFile(place.name, _sha256(place), first, found.rows - first))
    if not found.rows:
        raise BatchFailed(f"{order.input} has no rows", USAGE)
    found.columns = list(seen)
    return found


def _left(limit: int | None, rows: int) -> int | None:
    return None if limit is None else max(0, limit - rows)


def _look_at(found: Survey, row: Row, seen: dict[str, None], order: Order) -> None:
    if not row.keys() <= seen.keys():
        seen |= dict.fromkeys(row)
        _require_free(row, order.prefix)
    if found.prompter is None:
        found.prompter = Prompter.fitting(
            order.prompt, order.messages_column, order.system, row.keys()
        )
    try:
        messages = found.prompter.messages(row)
    except BadRow as error:
        _note_bad(found, str(error))
    else:
        found.message_bytes += len(messages)
        if len(found.shown) < _SHOWN:
            found.shown.append(messages)
    found.rows += 1


def _note_bad(found: Survey, why: str) -> None:
    found.bad.append(Result(found.rows, kind=BAD_ROW, message=why))
    if len(found.bad) > _MOST_BAD:
        raise BatchFailed(f"More than {_MOST_BAD} rows are not usable; the last: {why}", USAGE)


def _require_free(row: Row, prefix: str) -> None:
    """The output's own columns must not hide any of the input's."""
    if taken := [prefix + name for name in ADDED if prefix + name in row]:
        raise BatchFailed(
            f"The input has {', '.join(map(repr, taken))} already, which is where answers go: "
            "choose other names with --prefix, like --prefix llm_",
            USAGE,
        )


def _sha256(place: Place) -> str:
    digest = hashlib.sha256()
    with place.open_raw() as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def requests(
    place: Place, file: InputFile, kind: Format, prompter: Prompter, done: bytes
) -> Iterator[tuple[int, bytes]]:
    """Row numbers and messages of the rows of a file that are not done.

    Args:
        done: a byte for each of the file's rows; 1 where it needs no answer any more.
    """
    for at, row in enumerate(islice(rows_of(place, kind), file.rows)):
        if not done[at]:
            yield file.first + at, prompter.messages(row)
