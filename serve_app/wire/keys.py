"""What the routes of API keys take and give: queries and bodies to core types, and back."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import asdict

from serve_app.core.errors import BadRequest
from serve_app.core.key_record import KeyChange, KeyPage, KeyQuery, KeyRecord, KeyTerms, NewKey
from serve_app.wire.checks import check_utf8, no_json, whole_number, wrong_field
from serve_app.wire.query import read_terms

MAX_PAGE: Final = 1000
MAX_GRACE_S: Final = 31 * 86400
_LAST_SECOND: Final = 253402300799
"""Of the year 9999."""
INNER: Final = ("sha256", "version", "origin")
"""Fields of a record that no caller sees."""
_UNKNOWN: Final = re.compile(r"unknown field `(\w+)`")
_QUERY: Final = ("tenant", "after", "limit")

# \Z, because $ would let a newline at the end pass.
_PLAIN: Final = r"^[^\x00-\x1f\x7f]*\Z"
_Short = Annotated[str, Meta(max_length=64, pattern=_PLAIN)]
_Name = Annotated[str, Meta(min_length=1, max_length=128, pattern=_PLAIN)]
_Names = Annotated[tuple[_Name, ...], Meta(max_length=64)]
_Path = Annotated[str, Meta(max_length=128, pattern=r"^/[^\x00-\x20\x7f]*\Z")]
_Paths = Annotated[tuple[_Path, ...], Meta(max_length=64)]
_Note = Annotated[str, Meta(max_length=200, pattern=_PLAIN)]
_When = Annotated[int, Meta(ge=0, le=_LAST_SECOND)]
_Priority = Literal["interactive", "batch"]


class TermsBody(Struct, frozen=True, forbid_unknown_fields=True):
    tenant: Annotated[str, Meta(min_length=1, max_length=64, pattern=_PLAIN)]
    user: Annotated[str, Meta(max_length=128, pattern=_PLAIN)] = ""
    team: _Short = ""
    models: _Names = ()
    paths: _Paths = ()
    limits: dict[str, Any] = {}
    priority: _Priority = "interactive"
    expires_at: _When = 0
    note: _Note = ""


class ChangeBody(Struct, frozen=True, forbid_unknown_fields=True):
    team: _Short | UnsetType = UNSET
    models: _Names | UnsetType = UNSET
    paths: _Paths | UnsetType = UNSET
    limits: dict[str, Any] | UnsetType = UNSET
    priority: _Priority | UnsetType = UNSET
    expires_at: _When | UnsetType = UNSET
    note: _Note | UnsetType = UNSET


class RotationBody(Struct, frozen=True, forbid_unknown_fields=True):
    grace_s: Annotated[int, Meta(ge=0, le=MAX_GRACE_S)] = 0


_terms: Final = msgspec.json.Decoder(TermsBody)
_change: Final = msgspec.json.Decoder(ChangeBody)
_rotation: Final = msgspec.json.Decoder(RotationBody)

T = TypeVar("T")


def decode_terms(body: bytes) -> KeyTerms:
    """Check the body of `POST /v1/keys`.

    Raises:
        BadRequest: `param` is the path of the field at fault; so for the others here.
    """
    return KeyTerms(**asdict(_decoded(_terms, body)))


def decode_change(body: bytes) -> KeyChange:
    """Check the body of `PATCH /v1/keys/{id}`."""
    change = KeyChange(**asdict(_decoded(_change, body)))
    if change == KeyChange():
        raise BadRequest(f"Say what is to change: {', '.join(KeyChange.__struct_fields__)}")
    return change


def decode_rotation(body: bytes) -> int:
    """Seconds that the old key stays good; of `POST /v1/keys/{id}/rotate`, which needs no body."""
    return _decoded(_rotation, body).grace_s if body.strip() else 0


def decode_query(query: bytes) -> KeyQuery:
    """Check the query of `GET /v1/keys`."""
    terms = read_terms(query, _QUERY)
    limit = whole_number(terms.get("limit", "100"), "limit", MAX_PAGE)
    return KeyQuery(terms.get("tenant", ""), terms.get("after", ""), limit)


def shown(record: KeyRecord) -> dict[str, Any]:
    """A key as callers see it: everything but the key and its digest."""
    fields = asdict(record)
    for inner in INNER:
        del fields[inner]
    return {"id": record.id, "object": "key", **fields}


def shown_once(new: NewKey) -> dict[str, Any]:
    """A key that was just made, with the key itself."""
    return {"key": new.key, **shown(new.record)}


def listed(page: KeyPage) -> dict[str, Any]:
    """The body of `GET /v1/keys`."""
    return {"object": "list", "data": [*map(shown, page.records)], "next": page.next}


def _decoded(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    check_utf8(body)
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _named(wrong_field(error)) from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise no_json(error) from None


def _named(error: BadRequest) -> BadRequest:
    """With the name of a field that does not exist, and without our patterns."""
    if unknown := _UNKNOWN.search(error.message):
        error.param = unknown[1]
    elif "matching regex" in error.message:
        is_path = (error.param or "").startswith("paths")
        rule = "begins with '/' and has no spaces" if is_path else "has no control characters"
        return BadRequest(f"Invalid value for {error.param!r}: it {rule}", param=error.param)
    return error
