"""What the cache's own routes take and give: queries and bodies to core types, and back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Raw, Struct

from serve_app.core.errors import BadRequest
from serve_app.core.kept import MAX_TAG_CHARS, MAX_TAGS, Hot, Purge
from serve_app.core.types import ChatRequest
from serve_app.wire import openai
from serve_app.wire.checks import check_utf8, no_json, whole_number, wrong_field
from serve_app.wire.query import read_terms

MAX_TOP: Final = 1000
_TERMS: Final = ("tenant", "model", "tag", "fingerprint")
_FINGERPRINT: Final = re.compile(r"[0-9a-f]{64}")

Tag = Annotated[str, Meta(min_length=1, max_length=MAX_TAG_CHARS)]


class PurgeQuery(Struct, frozen=True):
    """`DELETE /v1/cache`: which answers, and whether of all tenants."""

    purge: Purge
    everywhere: bool


class WarmQuery(Struct, frozen=True):
    """`POST /v1/cache/warm`: a request, and its answer if that is not to be asked for now."""

    request: ChatRequest
    answer: str | None
    tags: tuple[str, ...]


class WarmBody(Struct, frozen=True):
    request: Raw
    answer: Annotated[str, Meta(min_length=1)] | None = None
    tags: Annotated[tuple[Tag, ...], Meta(max_length=MAX_TAGS)] = ()


_warm = msgspec.json.Decoder(WarmBody)


def decode_purge(query: bytes) -> PurgeQuery:
    """Check the query of `DELETE /v1/cache`.

    Raises:
        BadRequest: a term that is unknown or impossible, or none at all: who means everything
            says so.
    """
    read = read_terms(query, (*_TERMS, "all"), blank=True)
    # Others may be left empty; whoever means everything has to say so.
    terms = {name: value for name, value in read.items() if value or name == "all"}
    everywhere = _is_true(terms.pop("all", "false"))
    if not terms and not everywhere:
        raise BadRequest(
            f"Say which answers are to go: {', '.join(_TERMS)}, or all=true for everything"
        )
    if everywhere and "tenant" in terms:
        raise BadRequest("all=true means every tenant; leave it or 'tenant' out", param="tenant")
    if "fingerprint" in terms and not _FINGERPRINT.fullmatch(terms["fingerprint"]):
        raise BadRequest("fingerprint is 64 hexadecimal digits", param="fingerprint")
    return PurgeQuery(Purge(**terms), everywhere)


def decode_top(query: bytes) -> tuple[str, int]:
    """Tenant (empty: the caller's) and limit of `GET /v1/cache/top`.

    Raises:
        BadRequest: a term that is unknown or impossible.
    """
    terms = read_terms(query, ("tenant", "limit"))
    limit = whole_number(terms.get("limit", "20"), "limit", MAX_TOP)
    return terms.get("tenant", ""), limit


def decode_warm(body: bytes) -> WarmQuery:
    """Check the body of `POST /v1/cache/warm`.

    Raises:
        BadRequest: `param` is the path of the field at fault.
    """
    check_utf8(body)
    try:
        warm = _warm.decode(body)
    except msgspec.ValidationError as error:
        raise wrong_field(error) from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise no_json(error) from None
    try:
        request = openai.decode(bytes(warm.request))
    except BadRequest as error:
        error.param = f"request.{error.param}" if error.param else "request"
        raise
    return WarmQuery(request, warm.answer, tuple(dict.fromkeys(warm.tags)))


def listed(hot: Sequence[Hot]) -> dict[str, Any]:
    """The body of `GET /v1/cache/top`."""
    return {"object": "list", "data": list(hot)}


def _is_true(text: str) -> bool:
    if text not in ("true", "false"):
        raise BadRequest("all is true or false", param="all")
    return text == "true"
