"""What `/v1/batches` takes and gives, as OpenAI's API has it."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from serve_app.core.batch import ENDPOINTS, WINDOWS, Batch, BatchPage, BatchQuery, Status, Tally
from serve_app.core.errors import BadRequest
from serve_app.wire.checks import check_utf8, no_json, whole_number, wrong_field
from serve_app.wire.files import expiry, listed_ids, page_terms

MAX_PAGE: Final = 100
_DEFAULT_PAGE: Final = 20

MAX_METADATA: Final = 16
_Name = Annotated[str, Meta(max_length=64)]
_Value = Annotated[str, Meta(max_length=512)]

_TIMES: Final[tuple[Status, ...]] = (
    "in_progress",
    "finalizing",
    "completed",
    "failed",
    "expired",
    "cancelling",
    "cancelled",
)


class ExpiresAfter(Struct, frozen=True):
    anchor: str
    seconds: int


class BatchBody(Struct, frozen=True):
    """Of `POST /v1/batches`."""

    input_file_id: Annotated[str, Meta(min_length=1, max_length=128)]
    endpoint: str
    completion_window: str
    metadata: dict[_Name, _Value] | None = None
    output_expires_after: ExpiresAfter | None = None


class NewBatch(Struct, frozen=True):
    """What a caller wants done."""

    input_file_id: str
    endpoint: str
    window: str
    metadata: dict[str, str] | None
    output_expire_s: int | None


_body: Final = msgspec.json.Decoder(BatchBody)


def decode_new(body: bytes) -> NewBatch:
    """Check the body of `POST /v1/batches`.

    Raises:
        BadRequest: names the field.
    """
    check_utf8(body)
    try:
        asked = _body.decode(body)
    except msgspec.ValidationError as error:
        raise wrong_field(error) from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise no_json(error) from None
    _one_of("endpoint", asked.endpoint, ENDPOINTS)
    _one_of("completion_window", asked.completion_window, tuple(WINDOWS))
    if asked.metadata and len(asked.metadata) > MAX_METADATA:
        raise BadRequest(f"metadata has more than {MAX_METADATA} pairs", param="metadata")
    after = asked.output_expires_after
    return NewBatch(
        asked.input_file_id,
        asked.endpoint,
        asked.completion_window,
        asked.metadata,
        None if after is None else expiry(after.anchor, after.seconds, "output_expires_after"),
    )


def decode_query(query: bytes) -> BatchQuery:
    """Check the query of `GET /v1/batches`.

    Raises:
        BadRequest: names the parameter.
    """
    terms = page_terms(query, ("limit", "after"))
    limit = whole_number(terms.get("limit", str(_DEFAULT_PAGE)), "limit", MAX_PAGE)
    return BatchQuery(terms.get("after", ""), limit)


def shown(batch: Batch) -> dict[str, Any]:
    """A batch as OpenAI's API shows it."""
    terms, tally = batch.terms, batch.tally
    errors = [
        {"code": e.code, "message": e.message, "line": e.line, "param": e.param}
        for e in batch.errors
    ]
    counts = {"total": batch.total, "completed": tally.completed, "failed": tally.failed}
    return {
        "id": terms.id,
        "object": "batch",
        "endpoint": terms.endpoint,
        "model": batch.model or None,
        "errors": {"object": "list", "data": errors} if errors else None,
        "input_file_id": terms.input_file_id,
        "completion_window": terms.window,
        "status": batch.status,
        "output_file_id": batch.output_file_id or None,
        "error_file_id": batch.error_file_id or None,
        "created_at": terms.created_at,
        "expires_at": terms.expires_at,
        **{f"{status}_at": batch.times.get(status) for status in _TIMES},
        "request_counts": counts,
        "usage": _usage(tally),
        "metadata": terms.metadata,
    }


def listed(page: BatchPage) -> dict[str, Any]:
    """A page of batches."""
    return listed_ids([shown(batch) for batch in page.batches], page.has_more)


def _usage(tally: Tally) -> dict[str, Any]:
    return {
        "input_tokens": tally.input_tokens,
        "input_tokens_details": {"cached_tokens": tally.cached_tokens},
        "output_tokens": tally.output_tokens,
        "output_tokens_details": {"reasoning_tokens": tally.reasoning_tokens},
        "total_tokens": tally.input_tokens + tally.output_tokens,
    }


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise BadRequest(f"{name} is {value[:64]!r}; one of {', '.join(known)}", param=name)
