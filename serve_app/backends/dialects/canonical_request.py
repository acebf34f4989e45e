"""The canonical request as a dialect reads it: a call's body in, what it asks for out."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct

from serve_app.backends.base import UNSUPPORTED, AttemptFailed, Call

Json = dict[str, Any]

NOTHING = Raw(b"null")
"""Default of raw JSON. (msgspec decodes no `Raw | None`.)"""


class ImageUrl(Struct, frozen=True):
    url: str


class File(Struct, frozen=True):
    file_data: str | None = None
    filename: str | None = None


class Part(Struct, frozen=True):
    """One part of a message's content."""

    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: ImageUrl | None = None
    file: File | None = None
    cache_control: Json | None = None


class Function(Struct, frozen=True):
    name: str
    arguments: str = ""


class ToolCall(Struct, frozen=True):
    id: str = ""
    type: str = "function"
    function: Function | None = None
    cache_control: Json | None = None
    extra_content: Json | None = None


class Message(Struct, frozen=True):
    role: str
    content: str | list[Part] | None = None
    name: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning_details: list[Json] | None = None
    extra_content: Json | None = None
    is_error: bool | None = None
    cache_control: Json | None = None

    def parts(self) -> list[Part]:
        """The content as parts, those without text left out; a refusal is text too."""
        content = self.content
        if isinstance(content, str):
            content = [Part("text", content)]
        found = [p for p in content or () if p.type not in ("text", "refusal") or text_of(p)]
        if self.refusal:
            found.append(Part("refusal", refusal=self.refusal))
        return found


class ToolFunction(Struct, frozen=True):
    name: str
    description: str | None = None
    parameters: Raw = NOTHING
    strict: bool | None = None


class Tool(Struct, frozen=True):
    type: str = "function"
    function: ToolFunction | None = None
    cache_control: Json | None = None


class NamedFunction(Struct, frozen=True):
    name: str


class NamedTool(Struct, frozen=True):
    """A `tool_choice` that is an object."""

    type: str
    function: NamedFunction | None = None


class JsonSchema(Struct, frozen=True):
    schema: Json | None = None
    name: str | None = None


class ResponseFormat(Struct, frozen=True):
    type: str
    json_schema: JsonSchema | None = None


class Asked(Struct, frozen=True):
    """What a chat request asks for. Fields not named here mean nothing outside OpenAI."""

    messages: list[Message]
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    n: int | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    tools: list[Tool] | None = None
    tool_choice: str | NamedTool | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: str | None = None
    user: str | None = None
    modalities: list[str] | None = None
    functions: list[Any] | None = None

    @property
    def output_tokens(self) -> int | None:
        return self.max_completion_tokens or self.max_tokens

    @property
    def stops(self) -> list[str]:
        return [self.stop] if isinstance(self.stop, str) else self.stop or []

    @property
    def schema(self) -> Json | None:
        """The JSON schema that the answer has to follow."""
        wanted = self.response_format
        if wanted is None or wanted.type != "json_schema" or wanted.json_schema is None:
            return None
        return wanted.json_schema.schema or {}


class Embed(Struct, frozen=True):
    """What a request for embeddings asks for."""

    input: str | list[str]
    dimensions: int | None = None
    encoding_format: Literal["float", "base64"] = "float"


_decode_chat = msgspec.json.Decoder(Asked).decode
_decode_embed = msgspec.json.Decoder(Embed).decode
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_object = msgspec.json.Decoder(Json).decode


def read_chat(call: Call, without: frozenset[str] | None = None) -> Asked:
    """What a call asks for.

    Args:
        without: fields that are left out.

    Raises:
        AttemptFailed: a part of the request is not of OpenAI's shape.
    """
    body = call.body
    if without:
        fields = _decode_fields(body)
        body = msgspec.json.encode({k: v for k, v in fields.items() if k not in without})
    try:
        return _decode_chat(body)
    except msgspec.ValidationError as error:
        raise _misshapen(error) from None


def read_embed(call: Call, provider: str) -> Embed:
    """What a call for embeddings asks for.

    Raises:
        AttemptFailed: `input` is no text.
    """
    try:
        return _decode_embed(call.body)
    except msgspec.ValidationError as error:
        if "input" in str(error):
            raise unsupported(provider, "embeddings of anything but text", "input") from None
        raise _misshapen(error) from None


def _misshapen(error: msgspec.ValidationError) -> AttemptFailed:
    what, _, path = str(error).partition(" - at `$.")
    return AttemptFailed(
        "caller", f"invalid request: {what}", status=400, code="invalid_request",
        param=path.rstrip("`") or None,
    )  # fmt: skip


def unsupported(provider: str, what: str, param: str | None = None) -> AttemptFailed:
    """The provider has no words for this; another candidate may have."""
    return AttemptFailed("candidate", f"{provider} has no {what}", code=UNSUPPORTED, param=param)


def is_there(raw: Raw) -> bool:
    """False for JSON that is absent or null."""
    return bytes(raw) != b"null"


def text_of(part: Part) -> str:
    return part.text or part.refusal or ""


def arguments_of(call: ToolCall, provider: str) -> Json:
    """A call's arguments, for providers that take them as an object.

    Raises:
        AttemptFailed: they are none.
    """
    text = call.function.arguments if call.function is not None else ""
    try:
        return _decode_object(text) if text.strip() else {}
    except (msgspec.MsgspecError, RecursionError):
        what = "tool calls with arguments that are no JSON object"
        raise unsupported(provider, what, "messages") from None


def split_data_url(url: str) -> tuple[str, str] | None:
    """Media type and base64 data of a `data:` URL; None if it is another URL, or not base64."""
    if not url.startswith("data:"):
        return None
    head, comma, data = url[5:].partition(",")
    media, *flags = head.split(";")
    return (media, data) if comma and media and "base64" in flags else None
