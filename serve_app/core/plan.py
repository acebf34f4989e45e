"""What the router decides: whom to ask, in which order, and why."""

from __future__ import annotations

from msgspec import Struct, field

from serve_app.core.types import Endpoint


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
