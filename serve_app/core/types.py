"""The values that rooms hand each other: who asks, what is asked, what comes back.

Inside, OpenAI chat completions is the canonical dialect. A request is its top-level fields as
raw JSON (so that what we do not know passes through untouched) plus one typed view of what we
do look at. A reply is a sequence of `Chunk`s; a non-streaming reply is one chunk with
`whole=True` that holds everything.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType, field


class Identity(Struct, frozen=True):
    """Who is calling, as admission found out. `key_id` is a digest prefix, never the key."""

    tenant: str = "default"
    user: str = "anonymous"
    key_id: str = ""
    team: str = ""


Priority = Literal["interactive", "batch"]
"""Which calls come first at a model that is full."""


class Sender(Struct, frozen=True, gc=False):
    """Whose call it is, where those of several wait for one model."""

    tenant: str = "default"
    priority: Priority = "interactive"


# ------------------------------------------------------------------ request

Endpoint = Literal["chat", "embeddings"]
"""What kind of answer a request wants; a model answers one kind."""


class ContentPart(Struct, frozen=True, gc=False):
    """One part of a multi-part message; parts that are not text pass through unread."""

    type: str
    text: str | None = None


class FunctionCall(Struct, frozen=True, gc=False):
    name: str
    arguments: str = ""


class ToolCall(Struct, frozen=True):
    id: str = ""
    type: str = "function"
    function: FunctionCall | None = None


class Message(Struct, frozen=True):
    role: str
    content: str | list[ContentPart] | None = None
    name: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None


class StreamOptions(Struct, frozen=True, gc=False):
    include_usage: bool | None = None


class ChatParams(Struct, frozen=True):
    """The fields of a chat request that we check or look at; types as in OpenAI's API.

    `None` is accepted wherever OpenAI accepts null. Fields not named here are never checked.
    """

    model: str
    messages: list[Message]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    n: int | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    response_format: dict[str, Any] | None = None
    reasoning_effort: str | None = None
    user: str | None = None
    metadata: dict[str, Any] | None = None
    store: bool | None = None
    service_tier: str | None = None
    modalities: list[str] | None = None


def _raw(changes: dict[str, bytes]) -> dict[str, Raw]:
    return {name: Raw(value) for name, value in changes.items()}


class ChatRequest(Struct, frozen=True):
    """A checked request: every top-level field as sent, and the typed view.

    A request for embeddings is one too: `fields` hold its `input` as sent, and the view shows
    each text of it as a user message, so that filters and counts see them like any other.
    """

    fields: dict[str, Raw]
    params: ChatParams
    endpoint: Endpoint = "chat"
    session: str = ""
    """The stored conversation that its body names, in APIs that have such a field; empty: none."""

    def body(self, **changes: bytes) -> bytes:
        """The request as JSON with some top-level fields replaced (values are raw JSON)."""
        fields = {**self.fields, **_raw(changes)} if changes else self.fields
        return msgspec.json.encode(fields)

    @property
    def streaming(self) -> bool:
        return self.params.stream is True

    @property
    def wants_usage_chunk(self) -> bool:
        options = self.params.stream_options
        return options is not None and options.include_usage is True

    @property
    def max_output_tokens(self) -> int | None:
        return self.params.max_completion_tokens or self.params.max_tokens


# -------------------------------------------------------------------- reply


class Usage(Struct, gc=False, omit_defaults=True):
    """Tokens as the backend counted them. Details pass through unread."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    prompt_tokens_details: dict[str, Any] | None = None
    completion_tokens_details: dict[str, Any] | None = None

    @classmethod
    def of(cls, prompt_tokens: int, completion_tokens: int) -> Usage:
        """Of a prompt and an answer."""
        return cls(prompt_tokens, completion_tokens, prompt_tokens + completion_tokens)


class FunctionDelta(Struct, gc=False, omit_defaults=True):
    name: str | None = None
    arguments: str | None = None


class ToolCallDelta(Struct, omit_defaults=True):
    index: int = 0
    id: str | None = None
    type: str | None = None
    function: FunctionDelta | None = None


class Delta(Struct, omit_defaults=True):
    """What one event adds to a choice, or, in a whole reply, all of it."""

    role: str | None = None
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: Any = None
    """Signatures of reasoning, and reasoning that is sealed, which the provider wants back:
    `{"type": "reasoning.text", "signature"}` and `{"type": "reasoning.encrypted", "data"}`."""
    refusal: str | None = None
    tool_calls: list[ToolCallDelta] | None = None


class ChunkChoice(Struct):
    index: int = 0
    delta: Delta = field(default_factory=Delta)
    finish_reason: str | None = None
    logprobs: dict[str, Any] | UnsetType | None = UNSET


class Chunk(Struct):
    """One event of a reply, in OpenAI's chunk shape.

    `raw` is the JSON exactly as the backend sent it (without SSE framing); it is what goes out
    as long as nobody changed the chunk, and empty once somebody did. `whole` marks a complete
    non-streaming reply: `raw` is then a `chat.completion` object (or the list of embeddings).
    The names of these fields are chosen so that no provider's JSON can set them.
    """

    id: str = ""
    model: str = ""
    created: int = 0
    choices: list[ChunkChoice] = field(default_factory=list)
    usage: Usage | None = None
    raw: bytes = field(default=b"", name="serve_app.raw")
    whole: bool = field(default=False, name="serve_app.whole")
    skipped: int = field(default=0, name="serve_app.skipped")
    """Malformed events that were left out just before this one."""

    def has_content(self) -> bool:
        """True if a caller would see something of this chunk: text, reasoning, a tool call."""
        for choice in self.choices:
            d = choice.delta
            if d.content or d.tool_calls or d.reasoning_content or d.reasoning or d.refusal:
                return True
            if d.reasoning_details:
                return True
        return False
