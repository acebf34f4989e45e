"""The fields of a batch's hash in Redis, and the batch that they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, get_args

import msgspec

from serve_app.core.batch import Batch, LineError, Status, Tally, Terms

_STATUSES: Final[tuple[Status, ...]] = get_args(Status)
_SUMS: Final = Tally.__struct_fields__

FIELDS: Final = (
    "terms",
    "status",
    "errors",
    "total",
    "shards",
    "done",
    "model",
    "output_file_id",
    "error_file_id",
    *_SUMS,
    *(f"at:{status}" for status in _STATUSES),
)
"""In the order in which `batch_of` takes their values."""

_terms = msgspec.msgpack.Decoder(Terms)
_errors = msgspec.msgpack.Decoder(tuple[LineError, ...])


def batch_of(values: Sequence[bytes | None]) -> Batch | None:
    """The batch of a hash's values; None: there is none."""
    by_name = {name: one for name, one in zip(FIELDS, values, strict=True) if one is not None}
    if "terms" not in by_name:
        return None

    def number(name: str) -> int:
        return int(by_name.get(name, 0))

    def text(name: str) -> str:
        return by_name.get(name, b"").decode()

    errors = by_name.get("errors")
    times: dict[str, int] = {
        status: number(f"at:{status}") for status in _STATUSES if f"at:{status}" in by_name
    }
    return Batch(
        terms=_terms.decode(by_name["terms"]),
        status=msgspec.convert(text("status"), Status),
        total=number("total"),
        tally=Tally(*map(number, _SUMS)),
        shards=number("shards"),
        done=number("done"),
        model=text("model"),
        output_file_id=text("output_file_id"),
        error_file_id=text("error_file_id"),
        errors=() if errors is None else _errors.decode(errors),
        times=times,
    )
