"""The fields of a request for a response, as far as they are read. Others are ignored."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

Json = dict[str, Any]


class Named(Struct, frozen=True):
    """A conversation by its name."""

    id: str


class TextFormat(Struct, frozen=True):
    type: str
    name: str | None = None
    schema: Json | None = None
    description: str | None = None
    strict: bool | None = None


class TextConfig(Struct, frozen=True):
    format: TextFormat | None = None
    verbosity: Literal["low", "medium", "high"] | None = None


class Reasoning(Struct, frozen=True):
    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None
    generate_summary: Literal["auto", "concise", "detailed"] | None = None
    """An older name of `summary`."""


class ResponsesRequest(Struct, frozen=True):
    """The body of `POST /v1/responses`."""

    model: str
    input: str | list[Any] | None = None
    instructions: str | None = None
    previous_response_id: str | None = None
    conversation: str | Named | None = None
    tools: list[Json] | None = None
    tool_choice: str | Json | None = None
    parallel_tool_calls: bool | None = None
    max_tool_calls: int | None = None
    text: TextConfig | None = None
    reasoning: Reasoning | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_logprobs: int | None = None
    truncation: Literal["auto", "disabled"] | None = None
    include: list[str] | None = None
    metadata: dict[str, str] | None = None
    store: bool | None = None
    stream: bool | None = None
    stream_options: Json | None = None
    background: bool | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    service_tier: str | None = None
    prompt: Json | None = None
    moderation: Json | None = None

    @property
    def conversation_id(self) -> str | None:
        given = self.conversation
        return given.id if isinstance(given, Named) else given

    @property
    def is_stored(self) -> bool:
        return self.store is not False

    @property
    def wants_summary(self) -> bool:
        """Whether reasoning is shown as a summary, and not as what it is."""
        asked = self.reasoning
        return asked is not None and bool(asked.summary or asked.generate_summary)

    def includes(self, name: str) -> bool:
        return name in (self.include or ())
