"""What `/v1/files` takes and gives, as OpenAI's API has it."""

from __future__ import annotations

from typing import Any, Final, cast
from urllib.parse import parse_qsl

from msgspec import Struct

from serve_app.core.errors import BadRequest
from serve_app.core.stored_file import (
    GIVEN,
    MAX_EXPIRY_S,
    MIN_EXPIRY_S,
    FilePage,
    FileQuery,
    FileRecord,
)
from serve_app.wire.checks import whole_number

MAX_PAGE: Final = 10_000
_FIELDS: Final = ("purpose", "expires_after[anchor]", "expires_after[seconds]")


class UploadTerms(Struct, frozen=True):
    """What an upload says besides the file."""

    purpose: str
    expire_s: int | None
    """None: it says nothing."""


def upload_terms(fields: dict[str, str]) -> UploadTerms:
    """Check the fields of an upload.

    Raises:
        BadRequest: names the field.
    """
    for name in fields:
        if name not in _FIELDS:
            raise BadRequest(f"There is no field {name[:64]!r} here", param=name[:64])
    purpose = fields.get("purpose", "")
    if purpose not in GIVEN:
        raise BadRequest(f"purpose is {purpose[:40]!r}; one of {', '.join(GIVEN)}", param="purpose")
    anchor, seconds = fields.get(_FIELDS[1]), fields.get(_FIELDS[2])
    if anchor is None and seconds is None:
        return UploadTerms(purpose, None)
    number = whole_number(seconds or "", "expires_after[seconds]", MAX_EXPIRY_S)
    return UploadTerms(purpose, expiry(anchor or "", number, "expires_after"))


def expiry(anchor: str, seconds: int, name: str) -> int:
    """Check an `expires_after`: its seconds.

    Raises:
        BadRequest: names the field.
    """
    if anchor != "created_at":
        raise BadRequest(f"{name}.anchor must be 'created_at'", param=f"{name}.anchor")
    if not MIN_EXPIRY_S <= seconds <= MAX_EXPIRY_S:
        raise BadRequest(
            f"{name}.seconds is {seconds}; {MIN_EXPIRY_S} to {MAX_EXPIRY_S}",
            param=f"{name}.seconds",
        )
    return seconds


def decode_query(query: bytes) -> FileQuery:
    """Check the query of `GET /v1/files`.

    Raises:
        BadRequest: names the parameter.
    """
    terms = page_terms(query, ("purpose", "limit", "order", "after"))
    order = terms.get("order", "desc")
    if order not in ("asc", "desc"):
        raise BadRequest("order is 'asc' or 'desc'", param="order")
    limit = whole_number(terms.get("limit", str(MAX_PAGE)), "limit", MAX_PAGE)
    return FileQuery(terms.get("purpose", ""), terms.get("after", ""), limit, order == "desc")


def page_terms(query: bytes, known: tuple[str, ...]) -> dict[str, str]:
    """A query as names and values.

    Raises:
        BadRequest: it cannot be read, or has a name that there is not.
    """
    try:
        pairs = parse_qsl(
            query.decode("ascii"), keep_blank_values=True, max_num_fields=16, errors="strict"
        )
    except ValueError:
        raise BadRequest("The query cannot be read") from None
    for name, value in pairs:
        if name not in known:
            raise BadRequest(
                f"There is no {name[:40]!r} here; there are {', '.join(known)}", param=name[:40]
            )
        if len(value) > 128:
            raise BadRequest(f"{name} has {len(value)} characters; at most 128", param=name)
    return dict(pairs)


def shown(record: FileRecord) -> dict[str, Any]:
    """A file as OpenAI's API shows it; `status` is deprecated there and has one value left."""
    return {
        "id": record.id,
        "object": "file",
        "bytes": record.bytes,
        "created_at": record.created_at,
        "expires_at": record.expires_at or None,
        "filename": record.filename,
        "purpose": record.purpose,
        "status": "processed",
        "status_details": None,
    }


def deleted(file_id: str) -> dict[str, Any]:
    return {"id": file_id, "object": "file", "deleted": True}


def listed(page: FilePage) -> dict[str, Any]:
    """A page of files."""
    return listed_ids([shown(record) for record in page.records], page.has_more)


def listed_ids(data: list[dict[str, Any]], has_more: bool) -> dict[str, Any]:
    """Objects with an `id`, as a page of OpenAI's API."""
    ids = [cast("str", one["id"]) for one in data]
    return {
        "object": "list",
        "data": data,
        "first_id": ids[0] if ids else None,
        "last_id": ids[-1] if ids else None,
        "has_more": has_more,
    }
