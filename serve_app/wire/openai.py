"""OpenAI chat completions: the canonical dialect, from bytes to core values.

A request enters as bytes and leaves as a checked `ChatRequest`; what comes back is handled in
`wire/reply.py`. Every rejection names the field as a path such as `messages[0].role`.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import Raw

from serve_app.core.errors import BadRequest
from serve_app.core.messages import encode_messages
from serve_app.core.types import ChatParams, ChatRequest, ContentPart, Message, Texts

ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
_MAX_CHOICES = 128

_fields = msgspec.json.Decoder(dict[str, Raw])
_params = msgspec.json.Decoder(ChatParams)
_messages = msgspec.json.Decoder(list[dict[str, Any]])
_message_list = msgspec.json.Decoder(list[Message])

_PATH = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<path>.*)`)?$", re.DOTALL)


def decode(body: bytes) -> ChatRequest:
    """Check a request body.

    Raises:
        BadRequest: not UTF-8, not JSON, not an object, a wrong type or an impossible value;
            `param` is the path of the field at fault.
    """
    _check_utf8(body)
    try:
        fields = _fields.decode(body)
        params = _params.decode(body)
    except msgspec.ValidationError as error:
        raise wrong_field(error) from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadRequest(
            f"The request body is not valid JSON: {error}", code="invalid_json"
        ) from None
    _check_values(params)
    return ChatRequest(fields=fields, params=params)


def from_messages(model: str, messages: list[Message], *, stream: bool) -> ChatRequest:
    """A request of our own making, for the endpoints that take less than a whole one."""
    encode = msgspec.json.encode
    fields = {
        "model": Raw(encode(model)),
        "messages": Raw(encode_messages(messages)),
        "stream": Raw(encode(stream)),
    }
    return ChatRequest(fields, ChatParams(model=model, messages=messages, stream=stream))


def _check_utf8(body: bytes) -> None:
    """Raw JSON fields are passed on unread, so their encoding must be checked here."""
    if body.isascii():
        return
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadRequest(
            f"The request body is not valid UTF-8: {error.reason} at byte {error.start}",
            code="invalid_encoding",
        ) from None


def wrong_field(error: msgspec.ValidationError) -> BadRequest:
    """The decoder's complaint as ours, with the path of the field as `param`."""
    matched = _PATH.match(str(error))
    what, path = (matched["what"], matched["path"]) if matched else (str(error), None)
    missing = re.search(r"missing required field `(\w+)`", what)
    if missing:
        path = f"{path}.{missing[1]}" if path else missing[1]
        what = "a required field is missing"
    where = f" {path!r}" if path else ""
    return BadRequest(f"Invalid value for{where or ' the request body'}: {what}", param=path)


def _check_values(params: ChatParams) -> None:
    if not params.model:
        raise BadRequest("'model' is empty; use 'auto' or a name of GET /v1/models", param="model")
    if not params.messages:
        raise BadRequest("'messages' is empty; at least one is needed", param="messages")
    for at, message in enumerate(params.messages):
        if message.role not in ROLES:
            raise BadRequest(
                f"messages[{at}].role is {message.role[:40]!r}; one of {', '.join(sorted(ROLES))}",
                param=f"messages[{at}].role",
            )
        if message.content is None and message.role in ("user", "system", "developer", "tool"):
            raise BadRequest(f"messages[{at}].content is missing", param=f"messages[{at}].content")
    if params.n is not None and not 1 <= params.n <= _MAX_CHOICES:
        raise BadRequest(f"n is {params.n}; 1 to {_MAX_CHOICES}", param="n")
    for name in ("max_tokens", "max_completion_tokens"):
        value = getattr(params, name)
        if value is not None and value < 1:
            raise BadRequest(f"{name} is {value}; at least 1", param=name)
    if params.temperature is not None and not 0 <= params.temperature <= 2:
        raise BadRequest(f"temperature is {params.temperature}; 0 to 2", param="temperature")
    if params.top_p is not None and not 0 <= params.top_p <= 1:
        raise BadRequest(f"top_p is {params.top_p}; 0 to 1", param="top_p")


# -------------------------------------------------- what stages look at


def texts_of(request: ChatRequest, tenant: str) -> Texts:
    """Every text of the request in order, one entry a text part."""
    texts: list[str] = []
    roles: list[str] = []
    for message in request.params.messages:
        for text in _texts(message.content):
            texts.append(text)
            roles.append(message.role)
    return Texts(tuple(texts), tuple(roles), tenant)


def _texts(content: str | list[ContentPart] | None) -> list[str]:
    if content is None:
        return []
    if isinstance(content, str):
        return [content]
    return [part.text for part in content if part.text is not None]


def with_texts(request: ChatRequest, texts: tuple[str, ...]) -> ChatRequest:
    """The same request with its texts replaced, in the order of `texts_of`; all else as sent."""
    messages = _messages.decode(request.fields["messages"])
    remaining = iter(texts)
    for message in messages:
        content = message.get("content")
        if isinstance(content, str):
            message["content"] = next(remaining)
        elif isinstance(content, list):
            for part in content:
                if isinstance(part.get("text"), str):
                    part["text"] = next(remaining)
    raw = Raw(msgspec.json.encode(messages))
    params = msgspec.structs.replace(request.params, messages=_message_list.decode(raw))
    return ChatRequest({**request.fields, "messages": raw}, params)


def last_user_text(request: ChatRequest, limit: int) -> str:
    """The newest text a user wrote, at most `limit` characters of it."""
    for message in reversed(request.params.messages):
        if message.role == "user":
            return " ".join(_texts(message.content))[:limit]
    return ""


def needs_of(request: ChatRequest) -> tuple[str, ...]:
    """Capabilities without which a backend cannot answer this request."""
    params = request.params
    needs: list[str] = []
    if params.tools:
        needs.append("tools")
    if (params.n or 1) > 1:
        needs.append("n")
    if params.logprobs:
        needs.append("logprobs")
    kind = (params.response_format or {}).get("type")
    if kind in ("json_schema", "json_object"):
        needs.append(kind)
    if any(_has_image(m.content) for m in params.messages):
        needs.append("vision")
    return tuple(needs)


def _has_image(content: str | list[ContentPart] | None) -> bool:
    return isinstance(content, list) and any(p.type == "image_url" for p in content)
