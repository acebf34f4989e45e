"""What one request carries on its way through the corridor, and what its caller gets back."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Protocol

from msgspec import Struct

from serve_app.accounting.prices import PriceList
from serve_app.cache.rules import Keeping, Rulebook
from serve_app.config.policy import Policy
from serve_app.core.kept import Check, Question
from serve_app.core.limits import Lease
from serve_app.core.screening import Names
from serve_app.core.tools import ToolListing, ToolStep
from serve_app.core.trail import Trail
from serve_app.core.types import ChatRequest, Chunk, Identity, Message, Priority, Usage
from serve_app.routing.quotes import Quotes
from serve_app.sessions.conversation import Recall


class Control(Struct, frozen=True):
    """What the caller's headers say about the cache."""

    read: bool = True
    write: bool = True
    max_age_s: int | None = None
    """No older answer is wanted."""
    only_if_cached: bool = False
    tags: tuple[str, ...] = ()
    """By which the answer can be purged."""


class Ask(Struct):
    """One request as the front door hands it over."""

    request: ChatRequest
    trail: Trail
    authorization: str | None = None
    api_key: str | None = None
    session: str | None = None
    path: str = ""
    control: Control = Control()
    deadline: float = 0.0
    """Monotonic seconds."""
    priority: Priority = "interactive"
    at_version: int | None = None
    """Continue the session after so many of its turns (404 if it never had them); None: after its
    last. 0 continues a session that nobody has spoken in."""
    fork_to: str = ""
    """With `at_version`: where the turn goes, after a copy of those before it, if somebody else
    went on from there meanwhile. Empty: that is a conflict (409)."""
    instructions: int = 0
    """So many of the request's first messages are instructions: they stand before the history and
    are not remembered."""
    keeps: Callable[[Message], bool] | None = None
    """Asked with the assistant's message whether the turn is to be remembered; None: always."""
    max_prompt_tokens: int | None = None
    """A cap on the prompt of a session's request, besides the policy's."""
    key_sha256: str = ""
    """Of a caller that is known by the digest of its key, in hexadecimal, in place of a header."""
    tenant: str = ""
    """Of whom it was taken in, if that was some time ago; another's now, it is refused."""
    once: str = ""
    """A name under which it is charged once, however often it is done; empty: each time."""
    shows_tools: bool = False
    """The caller is shown the calls of tools that run here: in a stream an empty batch says that
    `Facts.tool_steps` has changed, and texts before and after calls are not parted."""


class Facts(Struct):
    """What the front door tells the caller about a reply, and the books keep of it."""

    identity: Identity = Identity()
    limits: dict[str, str] = {}
    backend: str = ""
    model: str = ""
    cache: str = "none"
    fingerprint: str = ""
    usage: Usage | None = None
    cost_micro_usd: int = 0
    age_s: int = 0
    is_stale: bool = False
    session_kept: bool | None = None
    first_content_ms: float | None = None
    attempts: int = 0
    """Calls of backends for this request so far; 0 for what the cache answered."""
    warnings: list[str] = []
    """Names of the filter rules that the caller is to be told of."""
    blocked: str = ""
    """Name of the filter rule that ended the answer."""
    session: str = ""
    """The session that the turn was really added to: `Ask.session`, or `Ask.fork_to`. Empty until
    it is remembered."""
    session_version: int = 0
    """How many turns that session has with this one; 0: it was not remembered."""
    session_id: str = ""
    """`Ask.session`, for those who answer with it; empty: none."""
    tool_lists: list[ToolListing] = []
    """What the MCP servers of the request offer."""
    tool_steps: list[ToolStep] = []
    """Calls of tools that ran here, in the order in which the model asked for them."""
    tool_stop: str = ""
    """The limit that ended them: `steps`, `calls`, `time` or `cost`; empty: none."""
    saved_micro_usd: int = 0
    """What the answer cost when it was made, if the cache served it now."""
    asked: ChatRequest | None = None
    """What was asked, as the filter has left it; None: nobody wants to keep that."""


class Closing(Protocol):
    async def aclose(self) -> None:
        """Harmless after the end."""


class Reply(Struct):
    """Exactly one of `whole` and `chunks` is set. `facts` are complete when the reply is."""

    facts: Facts
    whole: Chunk | None = None
    chunks: AsyncGenerator[list[Chunk], None] | None = None
    source: Closing | None = None
    """What is read; closed with the reply."""
    leave: Callable[[], None] | None = None
    """Lets go of what was reserved."""

    async def aclose(self) -> None:
        """Stop what still runs for this reply, and let go of what was reserved for it. Closing
        `chunks` alone is not enough: a generator that was never started does not close what it
        would have read."""
        try:
            if self.chunks is not None:
                await self.chunks.aclose()
            if self.source is not None:
                await self.source.aclose()
        finally:
            if self.leave is not None:
                self.leave()


class Rules(Struct, frozen=True):
    """What a policy means for requests; one request keeps the rules it came in under."""

    policy: Policy
    prices: PriceList
    scope: str
    """Part of the cache fingerprint: changes with whatever decides what an answer says."""
    book: Rulebook
    quotes: Quotes


class Passage(Struct):
    """One request on its way through the corridor."""

    ask: Ask
    rules: Rules
    facts: Facts
    request: ChatRequest
    recall: Recall
    filter_rules: str = ""
    """Digest of the rules that judged what was asked; an answer to be kept has passed the same."""
    keeping: Keeping | None = None
    """How its answer is kept; None: nothing is, and nothing is looked for."""
    question: Question | None = None
    flight: str = ""
    """Name of the flight that makes its answer: a stream and a body are two, and so are those of
    two priorities."""
    holder: str = ""
    """Under which name this request leads a flight."""
    asked_at: float = 0.0
    """Unix seconds."""
    for_ever: bool = False
    """Its answer is kept until it is purged (a warm-up)."""
    check: Check | None = None
    """What the cache would have served, to be compared with the answer."""
    conversation: str = ""
    """See `PlanQuery.conversation`; empty where nothing keeps conversations together."""
    lease: Lease | None = None
    """What was reserved for it; None: nothing is limited."""
    is_short: bool = False
    """A budget is nearly spent, and the policy wants the cheap tier asked then."""
    guards: tuple[str, ...] = ()
    """Places of the answer that filter rules look at."""
    system: tuple[str, ...] = ()
    """What the answer must not tell."""
    names: Names = ()
    """What placeholders in it stand for; ends with the request."""
    new_names: Names = ()
    """Those of them that are not of an earlier turn."""
    tier: str = ""
    """See `Settlement.tier`."""
