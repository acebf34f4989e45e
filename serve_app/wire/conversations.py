"""Conversations as OpenAI's API has them: items in, messages kept; messages kept, items out.

A message of a model that also calls tools is several items: `msg_1_0` is what it says,
`fc_1_0_DIGEST` one of its calls. What a model thinks, and what servers offered, is taken but not
kept.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from serve_app.core.errors import BadRequest
from serve_app.core.types import ChatRequest, Message, ToolCall
from serve_app.wire.checks import check_utf8, no_json, wrong_field
from serve_app.wire.openai import from_values
from serve_app.wire.responses.items import Item, ListingItem, ReasoningItem, read_items
from serve_app.wire.responses.limits import check_depth, check_metadata
from serve_app.wire.responses.messages import messages_of

Json = dict[str, Any]

MAX_ITEMS: Final = 100
"""Of one request."""
_ID: Final = re.compile(r"(?:msg|fc|fco)_([0-9]{1,10}_[0-9]{1,6})(?:_[0-9a-f]{8})?")


class NewBody(Struct, frozen=True):
    """The body of `POST /v1/conversations`."""

    metadata: dict[str, str] | None = None
    items: list[Any] | None = None


class MetadataBody(Struct, frozen=True):
    """The body of `POST /v1/conversations/{id}`."""

    metadata: dict[str, str] | None


class ItemsBody(Struct, frozen=True):
    """The body of `POST /v1/conversations/{id}/items`."""

    items: list[Any]


_Body = TypeVar("_Body", NewBody, MetadataBody, ItemsBody)


# ------------------------------------------------------------------ bodies


def decode_new(body: bytes) -> tuple[dict[str, str], list[Item]]:
    """Its metadata and items; `{}` is good, too.

    Raises:
        BadRequest: `param` is the field at fault.
    """
    new = _decode(body, NewBody)
    check_metadata(new.metadata)
    return new.metadata or {}, _items(new.items or [])


def decode_metadata(body: bytes) -> dict[str, str]:
    """What its metadata is to be.

    Raises:
        BadRequest: `param` is the field at fault.
    """
    metadata = _decode(body, MetadataBody).metadata
    check_metadata(metadata)
    return metadata or {}


def decode_items(body: bytes) -> list[Item]:
    """Items to be added, at least one.

    Raises:
        BadRequest: `param` is the field at fault.
    """
    items = _items(_decode(body, ItemsBody).items)
    if not items:
        raise BadRequest("'items' is empty; at least one is needed", param="items")
    return items


def _decode(body: bytes, kind: type[_Body]) -> _Body:
    check_utf8(body)
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise wrong_field(error) from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise no_json(error) from None


def _items(given: list[Any]) -> list[Item]:
    if len(given) > MAX_ITEMS:
        raise BadRequest(
            f"items has {len(given)} of them; at most {MAX_ITEMS} at once", param="items"
        )
    check_depth(given, "items")
    items = read_items(given, "items")
    messages_of(items, "items")  # what cannot be kept is refused
    return items


def request_of(items: Sequence[Item]) -> ChatRequest | None:
    """Items as a request, as filters want it; None: nothing in them is kept."""
    kept = [item for item in items if not isinstance(item, ReasoningItem | ListingItem)]
    messages = messages_of(kept, "items")
    return from_values({"model": "auto", "messages": messages}) if messages else None


# ------------------------------------------------------------------- shown


def shown(conversation_id: str, created_at: int, metadata: dict[str, str]) -> Json:
    head = {"id": conversation_id, "object": "conversation"}
    return {**head, "created_at": created_at, "metadata": metadata}


def deleted(conversation_id: str) -> Json:
    return {"id": conversation_id, "object": "conversation.deleted", "deleted": True}


def items_of(place: str, message: Message) -> list[Json]:
    """What a message is shown as.

    Args:
        place: its turn and its index there, as in `1_0`.
    """
    if message.role == "tool":
        return [_result(f"fco_{place}", message)]
    said = [_said(f"msg_{place}", message)] if message.content or not message.tool_calls else []
    return [*said, *(_call(place, call) for call in message.tool_calls or ())]


def _said(item_id: str, message: Message) -> Json:
    kind = "output_text" if message.role == "assistant" else "input_text"
    more: Json = {"annotations": []} if kind == "output_text" else {}
    content = [{"type": kind, "text": text, **more} for text in _texts(message)]
    head = {"id": item_id, "type": "message", "status": "completed"}
    return {**head, "role": message.role, "content": content}


def _call(place: str, call: ToolCall) -> Json:
    item_id = _call_id(place, call)
    name = "" if call.function is None else call.function.name
    arguments = "" if call.function is None else call.function.arguments
    head = {"id": item_id, "type": "function_call", "status": "completed"}
    return {**head, "call_id": call.id, "name": name, "arguments": arguments}


def _result(item_id: str, message: Message) -> Json:
    head = {"id": item_id, "type": "function_call_output", "status": "completed"}
    output = "\n".join(_texts(message))
    return {**head, "call_id": message.tool_call_id or "", "output": output}


def _texts(message: Message) -> list[str]:
    if isinstance(message.content, str):
        return [message.content]
    return [part.text or "" for part in message.content or ()]


def _call_id(place: str, call: ToolCall) -> str:
    """It stays when other calls of the message are deleted."""
    digest = hashlib.sha256(call.id.encode("utf-8", "surrogatepass")).hexdigest()
    return f"fc_{place}_{digest[:8]}"


def place_of(item_id: str) -> str | None:
    """The place of an item's message; None: it is no item's id."""
    found = _ID.fullmatch(item_id)
    return None if found is None else found[1]


def without(item_id: str, place: str, message: Message) -> Message | None:
    """What is left of a message without one of its items; None: nothing."""
    if item_id.startswith("fc_"):
        left = [c for c in message.tool_calls or () if _call_id(place, c) != item_id]
        made = replace(message, tool_calls=left or None)
    else:
        made = replace(message, content=None)
    return made if made.content or made.tool_calls else None
