"""Items as they are shown: each with an id, its texts in parts; and pages of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct

from serve_app.core.errors import BadRequest
from serve_app.wire.checks import whole_number
from serve_app.wire.responses.ids import input_id
from serve_app.wire.responses.items import (
    CallItem,
    InputText,
    Item,
    ListingItem,
    MessageItem,
    OutputText,
    RanItem,
    ReasoningItem,
    Reference,
    ResultItem,
)

Json = dict[str, Any]

MAX_PAGE: Final = 100
_PAGE: Final = 20
_MAX_TERMS: Final = 16
_KINDS: Final[dict[type[Item], str]] = {
    MessageItem: "msg",
    CallItem: "fc",
    ResultItem: "fco",
    ReasoningItem: "rs",
    RanItem: "mcp",
    ListingItem: "mcpl",
    Reference: "ref",
}
_plain = msgspec.to_builtins


class Window(Struct, frozen=True):
    """Which part of a list is wanted."""

    limit: int = _PAGE
    newest: bool = True
    after: str = ""


def read_query(query: bytes) -> dict[str, str]:
    """The terms of a query; of a repeated one the last counts.

    Raises:
        BadRequest: it cannot be read.
    """
    try:
        return dict(parse_qsl(query.decode("ascii"), max_num_fields=_MAX_TERMS, errors="strict"))
    except ValueError:
        raise BadRequest("The query cannot be read") from None


def read_window(query: bytes) -> Window:
    """Check a query for a page: `limit`, `order` and `after`.

    Raises:
        BadRequest: naming the term.
    """
    terms = read_query(query)
    order = terms.get("order", "desc")
    if order not in ("asc", "desc"):
        raise BadRequest("order is 'asc' or 'desc'", param="order")
    limit = whole_number(terms.get("limit", str(_PAGE)), "limit", MAX_PAGE)
    return Window(limit, order == "desc", terms.get("after", ""))


def page_of(items: Sequence[Json], window: Window) -> Json:
    """A page of a list that is all there.

    Raises:
        BadRequest: `after` names none of them.
    """
    ordered = list(reversed(items)) if window.newest else list(items)
    start = 0
    if window.after:
        found = [at for at, item in enumerate(ordered) if item["id"] == window.after]
        if not found:
            raise BadRequest("'after' names no item of this list", param="after")
        start = found[0] + 1
    end = start + window.limit
    return listed(ordered[start:end], has_more=end < len(ordered))


def listed(items: list[Json], *, has_more: bool) -> Json:
    """A page as OpenAI lists things."""
    return {
        "object": "list",
        "data": items,
        "first_id": items[0]["id"] if items else "",
        "last_id": items[-1]["id"] if items else "",
        "has_more": has_more,
    }


def input_items(items: Sequence[Item], response_id: str) -> list[Json]:
    """The items of a request, to be kept and listed with its response."""
    return [
        shown(item, item.id or input_id(response_id, _KINDS[type(item)], at))
        for at, item in enumerate(items)
    ]


def shown(item: Item, item_id: str) -> Json:
    """An item as it is listed. Data that was sent along (images, files) is not in it."""
    made: Json = {name: value for name, value in _plain(item).items() if value is not None}
    made |= {"id": item_id, "status": getattr(item, "status", None) or "completed"}
    if isinstance(item, MessageItem):
        made["content"] = [_part(part) for part in _parts(item)]
    elif isinstance(item, ResultItem) and not isinstance(item.output, str):
        made["output"] = [_part(part) for part in item.output]
    return made


def _parts(item: MessageItem) -> Sequence[Any]:
    if not isinstance(item.content, str):
        return item.content
    said: InputText | OutputText = InputText(item.content)
    return [OutputText(item.content) if item.role == "assistant" else said]


def _part(part: Any) -> Json:
    made: Json = _plain(part)
    for name in ("image_url", "file_data"):
        if (made.get(name) or "").startswith("data:"):
            made[name] = None
    if made["type"] == "input_image":
        made["detail"] = made.get("detail") or "auto"
    return {name: value for name, value in made.items() if value is not None}
