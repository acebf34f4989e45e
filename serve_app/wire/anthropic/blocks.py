"""What an Anthropic request is made of, as far as we read it. Fields not named here are ignored."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

CacheControl = dict[str, Any]
Name = Annotated[str, Meta(min_length=1)]


class Base64(Struct, frozen=True, tag_field="type", tag="base64"):
    media_type: Literal["image/jpeg", "image/png", "image/gif", "image/webp"]
    data: str


class Url(Struct, frozen=True, tag_field="type", tag="url"):
    url: str


class Text(Struct, frozen=True, tag_field="type", tag="text"):
    text: str
    cache_control: CacheControl | None = None


class Image(Struct, frozen=True, tag_field="type", tag="image"):
    source: Base64 | Url
    cache_control: CacheControl | None = None


class ToolUse(Struct, frozen=True, tag_field="type", tag="tool_use"):
    id: Name
    name: Name
    input: dict[str, Any]
    cache_control: CacheControl | None = None


class ToolResult(Struct, frozen=True, tag_field="type", tag="tool_result"):
    tool_use_id: Name
    content: str | list[Text | Image] | None = None
    is_error: bool | None = None
    cache_control: CacheControl | None = None


class Thinking(Struct, frozen=True, tag_field="type", tag="thinking"):
    thinking: str
    signature: str = ""


class RedactedThinking(Struct, frozen=True, tag_field="type", tag="redacted_thinking"):
    data: str


Block = Text | Image | ToolUse | ToolResult | Thinking | RedactedThinking


class Turn(Struct, frozen=True):
    role: Literal["user", "assistant", "system"]
    content: str | list[Block]


class Tool(Struct, frozen=True):
    name: Name
    type: str | None = None
    description: str | None = None
    input_schema: dict[str, Any] | None = None
    strict: bool | None = None
    cache_control: CacheControl | None = None


class ToolChoice(Struct, frozen=True):
    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class Metadata(Struct, frozen=True):
    user_id: str | None = None


class ThinkingConfig(Struct, frozen=True):
    type: Literal["enabled", "disabled", "adaptive", "between_tools"]
    budget_tokens: int | None = None


class OutputFormat(Struct, frozen=True):
    type: Literal["json_schema"]
    schema: dict[str, Any]


class OutputConfig(Struct, frozen=True):
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: OutputFormat | None = None


class MessagesRequest(Struct, frozen=True):
    """The body of `POST /v1/messages`, and but for `max_tokens` of `.../count_tokens`."""

    model: str
    messages: list[Turn]
    max_tokens: int | None = None
    system: str | list[Text] | None = None
    stop_sequences: list[str] | None = None
    stream: bool | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    tools: list[Tool] | None = None
    tool_choice: ToolChoice | None = None
    metadata: Metadata | None = None
    thinking: ThinkingConfig | None = None
    output_config: OutputConfig | None = None
    output_format: OutputFormat | None = None
    mcp_servers: list[Any] | None = None
