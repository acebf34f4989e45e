"""The routes of responses and of conversations."""

from __future__ import annotations

from typing import Any, Final

from serve_app.wire.openapi.parts import (
    EVENTS,
    desk_replies,
    header,
    operation,
    path,
    query,
    replies,
)
from serve_app.wire.responses.listing import MAX_PAGE

Json = dict[str, Any]

_RESPONSE: Final = path("id", pattern="^resp_[0-9a-f]{48}$")
_CONVERSATION: Final = path("id", pattern="^conv_[0-9a-f]{48}$")
_ITEM: Final = path("item_id", pattern="^[a-z]{2,4}_[0-9a-f_]+$")
_PRIORITY: Final = header(
    "x-serve-app-priority", "Whether somebody waits for it.", enum=["interactive", "batch"]
)
_ONCE: Final = header(
    "idempotency-key",
    "With `background`: the same key means the same response.",
    minLength=1,
    maxLength=255,
)
_PAGE: Final = [
    query("limit", "So many.", type="integer", minimum=1, maximum=MAX_PAGE, default=20),
    query("order", "By when they were said.", enum=["asc", "desc"], default="desc"),
    query("after", "The last id of the page before."),
]
_PROBLEM: Final = {"$ref": "#/components/responses/Problem"}


def response_paths() -> Json:
    """By path, then by method."""
    return {**_responses(), **_conversations(), **_items()}


def _responses() -> Json:
    one, made = "/v1/responses/{id}", replies("Response", streams=True)
    following = [
        query("stream", "Its events, of one in the background.", enum=["true", "false"]),
        query("starting_after", "Number of the last event that you have.",
              type="integer", minimum=0),
    ]  # fmt: skip
    shown = desk_replies("Response")
    shown["200"]["content"][EVENTS] = {}
    return {
        "/v1/responses": {"post": operation(
            "createResponse",
            "OpenAI's Responses: answered at once or in the background, stored, continued by "
            "`previous_response_id` or in a `conversation`.",
            {**made, "409": _PROBLEM}, body="ResponsesRequest", parameters=[_PRIORITY, _ONCE],
        )},
        one: {
            "parameters": [_RESPONSE],
            "get": operation("getResponse", "A stored one, or how far it is.", shown,
                             parameters=following),
            "delete": operation("deleteResponse", "Nothing of it is left.",
                                desk_replies("ResponseDeleted")),
        },
        f"{one}/cancel": {
            "parameters": [_RESPONSE],
            "post": operation("cancelResponse", "One in the background; one that is over stays.",
                              desk_replies("Response")),
        },
        f"{one}/input_items": {
            "parameters": [_RESPONSE],
            "get": operation("listInputItems", "What was asked.", desk_replies("ItemList"),
                             parameters=_PAGE),
        },
    }  # fmt: skip


def _conversations() -> Json:
    one, shown = "/v1/conversations/{id}", desk_replies("Conversation")
    return {
        "/v1/conversations": {
            "post": operation("createConversation", "Begin one.", shown, body="NewBody"),
        },
        one: {
            "parameters": [_CONVERSATION],
            "get": operation("getConversation", "What is known of one.", shown),
            "post": operation("updateConversation", "Other metadata.", shown,
                              body="MetadataBody"),
            "delete": operation("deleteConversation", "With its items and its responses.",
                                desk_replies("ConversationDeleted")),
        },
        f"{one}/export": {
            "parameters": [_CONVERSATION],
            "get": operation("exportConversation", "All that is kept of it.",
                             desk_replies("ConversationExport")),
        },
    }  # fmt: skip


def _items() -> Json:
    all_, one = "/v1/conversations/{id}/items", "/v1/conversations/{id}/items/{item_id}"
    return {
        all_: {
            "parameters": [_CONVERSATION],
            "get": operation("listItems", "A page of them.", desk_replies("ItemList"),
                             parameters=_PAGE),
            "post": operation("addItems", "At its end; no model is asked.",
                              {**desk_replies("ItemList"), "409": _PROBLEM}, body="ItemsBody"),
        },
        one: {
            "parameters": [_CONVERSATION, _ITEM],
            "get": operation("getItem", "One of them.", desk_replies("Item")),
            "delete": operation("deleteItem", "Answered with the conversation.",
                                desk_replies("Conversation")),
        },
    }  # fmt: skip
