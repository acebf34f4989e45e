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


# --------------------------------------------------------------------- plan


class Candidate(Struct, frozen=True, gc=False):
    """One way to answer: a backend and one of its models, with the reason it is in the plan."""

    backend: str
    model: str
    reason: str
    context: int
    """Context window of the model in tokens, prompt and answer together."""
    prefix: bool = False
    """True if the model goes on from the beginning of an answer (an assistant prefix)."""
    cost_micro_usd: int | None = None
    """Expected cost of the request there, None where no price is known."""
    first_token_s: float | None = None
    """Expected seconds to the first token there, None before it was ever measured."""


class Exclusion(Struct, frozen=True, gc=False):
    backend: str
    model: str
    reason: str


class Problem(Struct, frozen=True, gc=False):
    """A refusal as a value, so that a batch can carry it: status, code, message, field."""

    status: int
    code: str
    message: str
    param: str | None = None


class Plan(Struct, frozen=True):
    """Ordered candidates. With `problem` set there are none and the caller is told why."""

    candidates: list[Candidate] = field(default_factory=list)
    excluded: list[Exclusion] = field(default_factory=list)
    need: float = 0.0
    """Estimated need of reasoning, 0 (none) to 1 (certain)."""
    signals: dict[str, float] = field(default_factory=dict)
    tier: str = ""
    strategy: str = ""
    """By which rule the candidates were put in order."""
    arm: str = ""
    """The arm of a weighted split that this request fell into, as `backend/model`."""
    problem: Problem | None = None


class PlanQuery(Struct, frozen=True, gc=False):
    """What the router looks at; bounded, so that a hop stays small however long the prompt is."""

    model: str
    text: str
    """The last user text, cut to a few thousand characters."""
    turns: int
    prompt_tokens: int
    max_output_tokens: int
    needs: tuple[str, ...] = ()
    """Capabilities the request cannot do without: `tools`, `vision`, `json_schema`, ..."""
    tenant: str = "default"
    may_shorten: bool = False
    """True if the prompt may be cut to fit a smaller model (stored conversations)."""
    endpoint: Endpoint = "chat"
    conversation: str = ""
    """Digest of the conversation's beginning: equal for all requests of one tool loop, talk or
    session; empty where nothing keeps them together."""
    opening_tokens: int = 0
    """Tokens up to the last user message: what tool calls and results add leaves it as it is."""
    seed: str = ""
    """What a weighted split draws its lot from."""
    warm: str = ""
    """`backend/model` that answered this conversation last and may have its prompt cached."""


# ------------------------------------------------------------------- vitals


class Headroom(Struct, frozen=True, gc=False):
    """What a provider's rate limits still allow, as its headers said. None: it did not say."""

    requests_left: int | None = None
    tokens_left: int | None = None
    resets_in_s: float = 0.0
    """Seconds from the moment it was read until what is left is whole again."""


class Reading(Struct, frozen=True, gc=False):
    """How one model at one backend is doing, over all replicas as far as known here."""

    first_token_p50_s: float | None = None
    first_token_p95_s: float | None = None
    tokens_per_s: float | None = None
    """Of one answer, after its first token."""
    error_rate: float = 0.0
    """Share of failed attempts, 0 to 1, of the recent ones."""
    samples: int = 0
    running: int = 0
    """Calls under way."""
    open_for_s: float = 0.0
    """Seconds until the breaker lets a probe through; 0: closed, or a probe may go."""
    is_open: bool = False
    away: str = ""
    """Why it cannot be asked now (model not up, key refused); empty: it can."""
    headroom: Headroom | None = None


class Queue(Struct, frozen=True):
    """Calls at a model that does only so many at once."""

    running: int
    waiting: dict[Priority, int]
    refused: dict[tuple[Priority, str], int]
    """So far, by class and reason."""


# ------------------------------------------------------------------ filters

Names = tuple[tuple[str, str], ...]
"""Placeholders and what they stand for, such as `("<EMAIL_1>", "ann@example.com")`."""


class Texts(Struct, frozen=True, gc=False):
    """Texts of a request in order, for the input filter.

    `places` says of each where it stands: `input`, `system`, `history`, `tool_results` or
    `tool_arguments`, as in a rule's `where`.
    """

    texts: tuple[str, ...]
    places: tuple[str, ...]
    tenant: str = "default"
    path: str = ""
    names: Names = ()
    """Placeholders that the conversation has already."""


class Finding(Struct, frozen=True, gc=False):
    """Matches of a rule. Never holds the matched text."""

    rule: str
    action: str
    count: int = 1


class Verdict(Struct, frozen=True):
    """`allow`, `redact` (then `texts` replaces the request's texts) or `block` (then `rule`)."""

    action: str = "allow"
    rule: str = ""
    findings: tuple[Finding, ...] = ()
    texts: tuple[str, ...] | None = None
    rules: str = ""
    """Digest of the rules that judged; empty: there are none."""
    warnings: tuple[str, ...] = ()
    """Names of the rules that the caller is to be told of."""
    vault: Names = ()
    """The placeholders that are new; the values never leave the gateway."""
    canary: str = ""
    """A sentence for the end of the system prompt; empty: none."""
    guards: tuple[str, ...] = ()
    """Places of the answer that rules look at: `output`, `tool_arguments`."""
    system: tuple[str, ...] = ()
    """What must not be told, for `Tail.system`; bounded."""


class Held(Struct, frozen=True, array_like=True, gc=False):
    """What an output filter holds back between two pieces of a text.

    Each rule has its own part, as rules follow one another: the first rule holds what came last.
    """

    rules: str
    """Digest of the rules that hold it."""
    parts: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    """By rule, the end of what it is done with: neighbours of what comes."""

    @property
    def text(self) -> str:
        """All of it, in the order of the text."""
        return "".join(reversed(self.parts))


class Tail(Struct, frozen=True, gc=False):
    """A piece of an answer for the output filter: what was held back, and what is new."""

    held: Held | None
    new: str
    final: bool
    tenant: str = "default"
    place: str = "output"
    path: str = ""
    system: tuple[str, ...] = ()
    """As the verdict on the request said."""


class Released(Struct):
    """What may go out now and what is held back for the next call.

    `text + held.text` is the filtered form of `held.text + new` of the `Tail`; the same
    characters where nothing `changed`.
    """

    text: str
    held: Held | None = None
    changed: bool = False
    findings: tuple[Finding, ...] = ()
    rules: str = ""
    """Digest of the rules that were applied; empty: there are none."""
    blocked: str = ""
    """The rule that ends the answer here: `text` is the last of it."""
    warnings: tuple[str, ...] = ()
