"""A request for a response, checked, and what it is in chat completions' words.

What it continues (an earlier response, a conversation) and what it refers to is stored somewhere
else: who has fetched that hands it to `chat`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from serve_app.core.errors import BadRequest
from serve_app.core.tools import RUN_HERE
from serve_app.core.types import ChatRequest
from serve_app.wire.checks import check_utf8, no_json, wrong_field
from serve_app.wire.openai import from_values
from serve_app.wire.responses import limits
from serve_app.wire.responses.fields import ResponsesRequest
from serve_app.wire.responses.items import (
    CallItem,
    Item,
    Reference,
    ResultItem,
    read_items,
    read_text,
)
from serve_app.wire.responses.messages import messages_of
from serve_app.wire.responses.tools import form_of, tools_of

Json = dict[str, Any]

_decode = msgspec.json.Decoder(ResponsesRequest).decode
_AS_THEY_ARE = (
    "temperature",
    "top_p",
    "user",
    "safety_identifier",
    "prompt_cache_key",
    "service_tier",
)


class Asked(Struct, frozen=True):
    """A checked request."""

    fields: ResponsesRequest
    items: list[Item]
    made: ChatRequest | None = None
    """The chat request, where nothing stored is named."""

    @property
    def runs_tools(self) -> bool:
        """Whether it names tools that the gateway runs. Its answer then comes as a stream, in
        which they are told in their places, also where a body is wanted."""
        return any(tool.get("type") in RUN_HERE for tool in self.fields.tools or ())

    @property
    def instructions(self) -> int:
        """How many of the first messages are not of the conversation."""
        return 0 if self.fields.instructions is None else 1

    @property
    def continues(self) -> bool:
        return bool(self.fields.previous_response_id or self.fields.conversation_id)

    def references(self) -> list[str]:
        """Ids of the stored items that it names."""
        return [item.id for item in self.items if isinstance(item, Reference)]

    def resolved(self, stored: Mapping[str, Item]) -> list[Item]:
        """Its items, those that it names in place of their names as far as they are stored."""
        return [
            stored.get(item.id, item) if isinstance(item, Reference) else item
            for item in self.items
        ]

    def chat(self, stored: Mapping[str, Item] | None = None) -> ChatRequest:
        """The chat request.

        Args:
            stored: the items that it names.

        Raises:
            BadRequest: `param` is the field at fault, in this API's names.
        """
        if self.made is not None:
            return self.made
        items = self.resolved(stored or {})
        if not self.continues:
            _check_results(items)
        values = _values(self.fields, items)
        if self.fields.stream or self.runs_tools:
            values |= {"stream": True, "stream_options": {"include_usage": True}}
        if self.fields.max_tool_calls is not None and self.runs_tools:
            values["max_tool_calls"] = self.fields.max_tool_calls
        return from_values(values)


def decode(body: bytes) -> Asked:
    """Check the body of `POST /v1/responses`.

    Raises:
        BadRequest: `param` is the path of the field at fault.
    """
    check_utf8(body)
    try:
        fields = _decode(body)
    except msgspec.ValidationError as error:
        raise wrong_field(error) from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise no_json(error) from None
    limits.check(fields)
    asked = Asked(fields, _items(fields))
    if asked.references():  # it is looked at when they are known
        return asked
    return replace(asked, made=asked.chat())


def _items(fields: ResponsesRequest) -> list[Item]:
    given = fields.input
    if given is None:
        given = []
    items = read_text(given) if isinstance(given, str) else read_items(given)
    if not items:
        raise BadRequest("'input' is missing: a text, or a list of items", param="input")
    return items


def _check_results(items: list[Item]) -> None:
    """Each result answers a call before it; calls of earlier responses are not here."""
    called: set[str] = set()
    for at, item in enumerate(items):
        if isinstance(item, CallItem):
            called.add(item.call_id)
        elif isinstance(item, ResultItem) and item.call_id not in called:
            where = f"input[{at}].call_id"
            raise BadRequest(
                f"{where} names no function_call before it (previous_response_id and conversation "
                "say where else to look)",
                param=where,
            )


def _values(fields: ResponsesRequest, items: list[Item]) -> Json:
    messages: list[Json] = []
    if fields.instructions is not None:
        messages.append({"role": "system", "content": fields.instructions})
    messages += messages_of(items)
    values: Json = {"model": fields.model, "messages": messages}
    for name in _AS_THEY_ARE:
        if (value := getattr(fields, name)) is not None:
            values[name] = value
    if fields.max_output_tokens is not None:
        values["max_completion_tokens"] = fields.max_output_tokens
    if fields.reasoning is not None and fields.reasoning.effort is not None:
        effort = fields.reasoning.effort
        values["reasoning_effort"] = "xhigh" if effort == "max" else effort
    return values | tools_of(fields) | form_of(fields) | _probabilities(fields)


def _probabilities(fields: ResponsesRequest) -> Json:
    if fields.top_logprobs:
        return {"logprobs": True, "top_logprobs": fields.top_logprobs}
    return {"logprobs": True} if fields.includes("message.output_text.logprobs") else {}
