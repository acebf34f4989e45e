"""The items that a request is made of, and a conversation. Fields not named here are ignored."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from serve_app.core.errors import BadRequest
from serve_app.wire.checks import wrong_field
from serve_app.wire.responses.ids import MAX_ITEMS

Json = dict[str, Any]
Name = Annotated[str, Meta(min_length=1, max_length=256)]
Status = Literal["in_progress", "completed", "incomplete"]


class InputText(Struct, frozen=True, tag_field="type", tag="input_text"):
    text: str


class InputImage(Struct, frozen=True, tag_field="type", tag="input_image"):
    image_url: str | None = None
    file_id: str | None = None
    detail: Literal["low", "high", "auto", "original"] | None = None


class InputFile(Struct, frozen=True, tag_field="type", tag="input_file"):
    file_data: str | None = None
    file_id: str | None = None
    file_url: str | None = None
    filename: str | None = None


class OutputText(Struct, frozen=True, tag_field="type", tag="output_text"):
    text: str
    annotations: list[Any] = []
    logprobs: list[Any] | None = None


class Refusal(Struct, frozen=True, tag_field="type", tag="refusal"):
    refusal: str


class PlainText(Struct, frozen=True, tag_field="type", tag="text"):
    text: str


class SummaryText(Struct, frozen=True, tag_field="type", tag="summary_text"):
    text: str


class ReasoningText(Struct, frozen=True, tag_field="type", tag="reasoning_text"):
    text: str


Part = InputText | InputImage | InputFile | OutputText | Refusal | PlainText


class MessageItem(Struct, frozen=True, tag_field="type", tag="message"):
    role: Literal["user", "assistant", "system", "developer"]
    content: str | list[Part]
    id: str | None = None
    status: Status | None = None


class CallItem(Struct, frozen=True, tag_field="type", tag="function_call"):
    call_id: Name
    name: Name
    arguments: str
    id: str | None = None
    status: Status | None = None


class ResultItem(Struct, frozen=True, tag_field="type", tag="function_call_output"):
    call_id: Name
    output: str | list[InputText | InputImage | InputFile]
    id: str | None = None
    status: Status | None = None


class ReasoningItem(Struct, frozen=True, tag_field="type", tag="reasoning"):
    summary: list[SummaryText] = []
    content: list[ReasoningText] | None = None
    encrypted_content: str | None = None
    id: str | None = None
    status: Status | None = None


class RanItem(Struct, frozen=True, tag_field="type", tag="mcp_call"):
    """A call that the gateway made itself."""

    name: Name
    arguments: str
    server_label: str = ""
    output: str | None = None
    error: Any = None
    id: str | None = None
    status: str | None = None


class ListingItem(Struct, frozen=True, tag_field="type", tag="mcp_list_tools"):
    """What a server offered; asked anew each time."""

    server_label: str = ""
    tools: list[Any] = []
    id: str | None = None


class Reference(Struct, frozen=True, tag_field="type", tag="item_reference"):
    """An item that was stored before."""

    id: Name


Item = MessageItem | CallItem | ResultItem | ReasoningItem | RanItem | ListingItem | Reference
_TAGS: Final = (
    "message",
    "function_call",
    "function_call_output",
    "reasoning",
    "mcp_call",
    "mcp_list_tools",
    "item_reference",
)


class _Items(Struct, frozen=True):
    """Converted as a field: a bare union would be worked out anew each time (50 us)."""

    items: list[Item]


def read_items(given: list[Any], path: str = "input") -> list[Item]:
    """Check items.

    Raises:
        BadRequest: `param` is the path of the field at fault.
    """
    if len(given) > MAX_ITEMS:
        raise BadRequest(f"{path} has {len(given)} items; at most {MAX_ITEMS}", param=path)
    named = [_named(value, f"{path}[{at}]") for at, value in enumerate(given)]
    try:
        return msgspec.convert({"items": named}, _Items).items
    except msgspec.ValidationError as error:
        raise _at(path, wrong_field(error)) from None


def read_text(text: str) -> list[Item]:
    """A text alone is what a user says."""
    return [MessageItem("user", [InputText(text)])]


def _named(value: Any, path: str) -> Any:
    """An item with its type, which is optional in messages and references."""
    if not isinstance(value, dict):
        raise BadRequest(f"{path} is no object", param=path)
    kind = value.get("type")
    if kind is None:
        kind = "message" if "role" in value else "item_reference"
        return {**value, "type": kind}
    if kind not in _TAGS:
        raise BadRequest(
            f"{path}.type is {str(kind)[:60]!r}; items may be {', '.join(_TAGS)}",
            param=f"{path}.type",
        )
    return value


def _at(path: str, error: BadRequest) -> BadRequest:
    """An error in the items as one in the request."""
    where = path + (error.param or "items").removeprefix("items")
    what = error.message.partition(": ")[2]
    return BadRequest(f"Invalid value for {where!r}: {what}", param=where)
