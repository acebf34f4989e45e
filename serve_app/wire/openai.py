"""OpenAI chat completions: the canonical dialect, from bytes to core values.

A request enters as bytes and leaves as a checked `ChatRequest`; what comes back is handled in
`wire/reply.py`. Every rejection names the field as a path such as `messages[0].role`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from serve_app.core.messages import encode_messages
from serve_app.core.screening import Names, Texts
from serve_app.core.types import ChatParams, ChatRequest, ContentPart, Message
from serve_app.wire.checks import check, check_stops, check_utf8, no_json, wrong_field

_fields = msgspec.json.Decoder(dict[str, Raw])
_params = msgspec.json.Decoder(ChatParams)
_messages = msgspec.json.Decoder(list[dict[str, Any]])
_message_list = msgspec.json.Decoder(list[Message])
_encode = msgspec.json.encode


def decode(body: bytes) -> ChatRequest:
    """Check a request body.

    Raises:
        BadRequest: not UTF-8, not JSON, not an object, a wrong type or an impossible value;
            `param` is the path of the field at fault.
    """
    check_utf8(body)
    try:
        fields = _fields.decode(body)
        params = _params.decode(body)
    except msgspec.ValidationError as error:
        raise wrong_field(error) from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise no_json(error) from None
    check(params)
    check_stops(params.stop)
    return ChatRequest(fields=fields, params=params)


def from_values(values: Mapping[str, Any]) -> ChatRequest:
    """A request put together from another API's, by the names and types of this one.

    Raises:
        BadRequest: as `decode` does.
    """
    try:
        fields = {name: Raw(_encode(value)) for name, value in values.items()}
        params = msgspec.convert(values, ChatParams)
    except msgspec.ValidationError as error:
        raise wrong_field(error) from None
    except RecursionError as error:  # values may lie deeper here than where they came from
        raise no_json(error) from None
    check(params)
    return ChatRequest(fields=fields, params=params)


def from_messages(
    model: str, messages: list[Message], tools: list[dict[str, Any]] | None = None, *, stream: bool
) -> ChatRequest:
    """A request of our own making, for the endpoints that take less than a whole one."""
    fields = {
        "model": Raw(_encode(model)),
        "messages": Raw(encode_messages(messages)),
        "stream": Raw(_encode(stream)),
    }
    if tools:
        fields["tools"] = Raw(_encode(tools))
    params = ChatParams(model=model, messages=messages, stream=stream, tools=tools or None)
    return ChatRequest(fields, params)


# -------------------------------------------------- what stages look at


_PLACES = {
    "system": "system",
    "developer": "system",
    "assistant": "history",
    "tool": "tool_results",
    "function": "tool_results",
}
"""Where texts of a role stand, as filter rules say it; all others are input."""


def texts_of(request: ChatRequest, tenant: str, path: str = "", names: Names = ()) -> Texts:
    """Every text of the request in order, one entry a text part; after an assistant's texts, the
    arguments of its tool calls."""
    texts: list[str] = []
    places: list[str] = []
    for message in request.params.messages:
        said, called = _texts(message.content), _arguments(message)
        texts += said
        texts += called
        places += [_PLACES.get(message.role, "input")] * len(said)
        places += ["tool_arguments"] * len(called)
    return Texts(tuple(texts), tuple(places), tenant, path, names)


def _texts(content: str | list[ContentPart] | None) -> list[str]:
    if content is None:
        return []
    if isinstance(content, str):
        return [content]
    return [part.text for part in content if part.text is not None]


def _arguments(message: Message) -> list[str]:
    if not message.tool_calls:
        return []
    called = [call.function for call in message.tool_calls if call.function is not None]
    return [function.arguments for function in called if function.arguments]


def with_texts(request: ChatRequest, texts: tuple[str, ...]) -> ChatRequest:
    """The same request with its texts replaced, in the order of `texts_of`; all else as sent."""
    if request.endpoint == "embeddings":
        return _with_input(request, texts)
    messages = _messages.decode(request.fields["messages"])
    remaining = iter(texts)
    for message in messages:
        _put_content(message, remaining)
        for call in message.get("tool_calls") or ():
            function = call.get("function")
            if function and function.get("arguments"):
                function["arguments"] = next(remaining)
    return _with_messages(request, messages)


def _put_content(message: dict[str, Any], texts: Iterator[str]) -> None:
    content = message.get("content")
    if isinstance(content, str):
        message["content"] = next(texts)
    elif isinstance(content, list):
        for part in content:
            if isinstance(part.get("text"), str):
                part["text"] = next(texts)


def with_canary(request: ChatRequest, sentence: str) -> ChatRequest:
    """The same request with a sentence at the end of its last system prompt, if it has one."""
    if request.endpoint == "embeddings":
        return request
    messages = _messages.decode(request.fields["messages"])
    for message in reversed(messages):
        if _PLACES.get(message.get("role", "")) == "system":
            content = message.get("content")
            if isinstance(content, list):
                content.append({"type": "text", "text": sentence})
            else:
                message["content"] = f"{content}\n\n{sentence}" if content else sentence
            return _with_messages(request, messages)
    return request


def _with_messages(request: ChatRequest, messages: list[dict[str, Any]]) -> ChatRequest:
    raw = Raw(_encode(messages))
    params = replace(request.params, messages=_message_list.decode(raw))
    return replace(request, fields={**request.fields, "messages": raw}, params=params)


def _with_input(request: ChatRequest, texts: tuple[str, ...]) -> ChatRequest:
    """A request for embeddings with other texts; one that was not in a list stays out of one."""
    alone = bytes(request.fields["input"]).lstrip().startswith(b'"')
    raw = Raw(_encode(texts[0] if alone else texts))
    messages = [Message(role="user", content=text) for text in texts]
    params = replace(request.params, messages=messages)
    return replace(request, fields={**request.fields, "input": raw}, params=params)


def last_user_text(request: ChatRequest, limit: int) -> str:
    """The newest text a user wrote, at most `limit` characters of it."""
    for message in reversed(request.params.messages):
        if message.role == "user":
            return " ".join(_texts(message.content))[:limit]
    return ""


def opening_texts(request: ChatRequest) -> tuple[str, ...]:
    """The texts up to and with the last user message; without one, all of them."""
    messages = request.params.messages
    end = len(messages)
    while end and messages[end - 1].role != "user":
        end -= 1
    opening = messages[:end] if end else messages
    return tuple(
        [text for message in opening for text in (*_texts(message.content), *_arguments(message))]
    )


def conversation_of(request: ChatRequest, tenant: str) -> str:
    """Names the conversation that a request belongs to, 16 hexadecimal digits.

    Equal for all requests of one tool loop or talk: made of the tenant, the model asked for and
    what comes first, up to and with the first user message. Images do not count, so two talks
    about two images may share a name. Empty for embeddings, which belong together with nothing.
    """
    if request.endpoint != "chat":
        return ""
    seen = [tenant, request.params.model]
    for message in request.params.messages:
        if message.role == "tool" or message.tool_calls:
            break
        seen.append(message.role)
        seen += _texts(message.content)
        if message.role == "user":
            break
    return hashlib.blake2b(_encode(seen), digest_size=8).hexdigest()


def needs_of(request: ChatRequest) -> tuple[str, ...]:
    """Capabilities without which a backend cannot answer this request."""
    params = request.params
    needs: list[str] = []
    if params.tools:
        needs.append("tools")
    if params.parallel_tool_calls is True:
        needs.append("parallel_tools")
    if (params.n or 1) > 1:
        needs.append("n")
    if params.logprobs:
        needs.append("logprobs")
    if params.seed is not None:
        needs.append("seed")
    if params.reasoning_effort not in (None, "none"):
        needs.append("reasoning")
    kind = (params.response_format or {}).get("type")
    if kind in ("json_schema", "json_object"):
        needs.append(kind)
    if any(_has_image(m.content) for m in params.messages):
        needs.append("vision")
    return tuple(needs)


def _has_image(content: str | list[ContentPart] | None) -> bool:
    return isinstance(content, list) and any(p.type == "image_url" for p in content)
