"""Schemas of responses and conversations: bodies from the types that decode them, and what is
answered. What those types cannot say is added from the constants that are checked."""

from __future__ import annotations

import inspect
import math
from typing import Any, Final

import msgspec

from serve_app.wire.conversations import MAX_ITEMS as MAX_ADDED
from serve_app.wire.conversations import ItemsBody, MetadataBody, NewBody
from serve_app.wire.responses.fields import ResponsesRequest
from serve_app.wire.responses.ids import MAX_ITEMS
from serve_app.wire.responses.items import (
    CallItem,
    ListingItem,
    MessageItem,
    RanItem,
    ReasoningItem,
    Reference,
    ResultItem,
)
from serve_app.wire.responses.limits import (
    BOUNDS,
    INCLUDABLE,
    MAX_METADATA,
    MAX_METADATA_KEY,
    MAX_METADATA_VALUE,
)

Schema = dict[str, Any]

_ITEMS: Final = (
    MessageItem, CallItem, ResultItem, ReasoningItem, RanItem, ListingItem, Reference,
)  # fmt: skip
_UNTYPED: Final = ("MessageItem", "Reference")
"""Items whose `type` may be left out, or null."""
_BODIES: Final = (ResponsesRequest, NewBody, MetadataBody, ItemsBody)

_TEXT: Final[Schema] = {"type": "string"}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_FLAG: Final[Schema] = {"type": "boolean"}
_MAYBE: Final[Schema] = {"type": ["object", "null"]}
_ITEM_LIST: Final[Schema] = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"type": _TEXT, "id": _TEXT},
        "required": ["type", "id"],
    },
}
_METADATA: Final[Schema] = {"type": "object", "additionalProperties": {"type": "string"}}


def response_schemas() -> dict[str, Schema]:
    """By name."""
    _, found = msgspec.json.schema_components(
        (*_BODIES, *_ITEMS), ref_template="#/components/schemas/{name}"
    )
    for schema in found.values():
        if "description" in schema:
            schema["description"] = inspect.cleandoc(schema["description"])
    for name in ("SummaryText", "ReasoningText"):
        found[name]["required"].remove("type")
    for name in _UNTYPED:
        schema = found[name]
        schema["required"].remove("type")
        schema["properties"]["type"] = {"anyOf": [schema["properties"]["type"], {"type": "null"}]}
    _bound_request(found["ResponsesRequest"])
    _bound_conversations(found)
    return {**found, **_answers()}


def _any_item(most: int, least: int = 1) -> Schema:
    kinds = [{"$ref": f"#/components/schemas/{kind.__name__}"} for kind in _ITEMS]
    return {"type": "array", "minItems": least, "maxItems": most, "items": {"anyOf": kinds}}


def _bound_request(schema: Schema) -> None:
    properties = schema["properties"]
    properties["model"]["minLength"] = 1
    properties["input"] = {"anyOf": [_TEXT, _any_item(MAX_ITEMS)]}
    schema["required"].append("input")
    for name, (least, most) in BOUNDS.items():
        bounds = {"minimum": least} if most == math.inf else {"minimum": least, "maximum": most}
        _kind(properties[name], "number", "integer").update(bounds)
    _kind(properties["include"], "array")["items"] = {"enum": sorted(INCLUDABLE)}
    _bound_metadata(properties["metadata"])
    for name in ("prompt", "moderation"):
        properties[name] = {"type": "null", "default": None}


def _bound_conversations(found: dict[str, Schema]) -> None:
    for name in ("NewBody", "MetadataBody"):
        _bound_metadata(found[name]["properties"]["metadata"])
    found["NewBody"]["properties"]["items"] = {"anyOf": [_any_item(MAX_ADDED, 0), {"type": "null"}]}
    found["ItemsBody"]["properties"]["items"] = _any_item(MAX_ADDED)


def _bound_metadata(schema: Schema) -> None:
    _kind(schema, "object").update(
        maxProperties=MAX_METADATA,
        propertyNames={"maxLength": MAX_METADATA_KEY},
        additionalProperties={"type": "string", "maxLength": MAX_METADATA_VALUE},
    )


def _kind(schema: Schema, *types: str) -> Schema:
    """Of an optional property, what it is where it is there."""
    found: Schema = next(kind for kind in schema["anyOf"] if kind.get("type") in types)
    return found


def _answers() -> dict[str, Schema]:
    conversation = {
        "id": _TEXT, "object": {"const": "conversation"}, "created_at": _COUNT,
        "metadata": _METADATA,
    }  # fmt: skip
    status = ["completed", "failed", "in_progress", "cancelled", "queued", "incomplete"]
    return {
        "Response": _object(
            id=_TEXT, object={"const": "response"}, created_at=_COUNT, status={"enum": status},
            error=_MAYBE, incomplete_details=_MAYBE, model=_TEXT, output=_ITEM_LIST, usage=_MAYBE,
            metadata=_METADATA, store=_FLAG, background=_FLAG,
        ),
        "ResponseDeleted": _object(
            id=_TEXT, object={"const": "response"}, deleted={"const": True}
        ),
        "ItemList": _object(
            object={"const": "list"}, data=_ITEM_LIST, first_id=_TEXT, last_id=_TEXT,
            has_more=_FLAG,
        ),
        "Item": _ITEM_LIST["items"],
        "Conversation": _object(**conversation),
        "ConversationDeleted": _object(
            id=_TEXT, object={"const": "conversation.deleted"}, deleted={"const": True}
        ),
        "ConversationExport": _object(
            **conversation, turns=_COUNT, forgotten_turns=_COUNT, tokens=_COUNT,
            summary={"type": ["string", "null"]}, items=_ITEM_LIST,
        ),
    }  # fmt: skip


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": [*properties]}
