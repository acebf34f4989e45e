"""What the router is asked about a request, and which backend its conversation knows already."""

from __future__ import annotations

import hashlib
from collections import OrderedDict

from serve_app.core.clock import Clock
from serve_app.core.plan import Candidate, PlanQuery
from serve_app.core.types import ChatRequest
from serve_app.passage import Passage
from serve_app.routing.estimate import estimate_messages
from serve_app.sessions.conversation import Wish
from serve_app.wire import openai

NEED_CHARS = 4000
"""So much of the last user text the router sees: enough to judge it, small enough for a hop."""

DEFAULT_REPLY_TOKENS = 512
"""Room for an answer where the request names none, when the router checks context windows."""


def plan_query(way: Passage, warm: str) -> PlanQuery:
    """The router's question about a request.

    Args:
        warm: `backend/model` that answered its conversation last; empty: nobody yet.
    """
    request, tenant = way.request, way.facts.identity.tenant
    texts = openai.texts_of(request, tenant).texts
    tokens = opening_tokens = estimate_messages(texts)
    if way.conversation:
        opening = openai.opening_texts(request)
        if len(opening) < len(texts):
            opening_tokens = estimate_messages(opening)
    return PlanQuery(
        model=_model(way),
        text=openai.last_user_text(request, NEED_CHARS),
        turns=_turns(request),
        prompt_tokens=tokens,
        max_output_tokens=request.max_output_tokens or DEFAULT_REPLY_TOKENS,
        needs=openai.needs_of(request),
        tenant=tenant,
        may_shorten=way.recall.is_active,
        endpoint=request.endpoint,
        conversation=way.conversation,
        opening_tokens=opening_tokens,
        warm=warm,
        seed=way.conversation or way.ask.trail.request_id,
    )


def wish_of(way: Passage) -> Wish | None:
    """How a request wants its conversation continued; None: it has none."""
    ask = way.ask
    if ask.session is None:
        return None
    return Wish(
        way.facts.identity.tenant,
        ask.session,
        ask.at_version,
        ask.fork_to,
        ask.instructions,
        ask.max_prompt_tokens,
    )


def _model(way: Passage) -> str:
    """The name that was asked for, or the cheap tier's where money is short."""
    model = way.request.params.model
    if way.is_short and way.request.endpoint == "chat":
        return way.rules.quotes.of(model).cheaper or model
    return model


def _turns(request: ChatRequest) -> int:
    """Messages up to the last one of a user: a tool loop does not grow more difficult by itself."""
    messages = request.params.messages
    at = range(len(messages) - 1, -1, -1)
    return next((i + 1 for i in at if messages[i].role == "user"), len(messages))


def _must_stay_together(way: Passage) -> bool:
    """True if this request belongs with others: in a session, a tool loop, a talk. A single
    question is planned afresh however often it is asked, or one answer by a second choice would
    keep it from the first for good."""
    params = way.request.params
    return (
        way.recall.is_active
        or bool(params.tools)
        or any(message.role in ("assistant", "tool") for message in params.messages)
    )


def conversation_of(way: Passage) -> str:
    """A digest that all requests of one conversation share: of its session, or of its beginning.
    Empty for a request that stands alone."""
    if not _must_stay_together(way):
        return ""
    tenant = way.facts.identity.tenant
    if way.recall.is_active:
        named = f"{tenant}\n{way.ask.session}".encode("utf-8", "surrogatepass")
        return hashlib.sha256(named).hexdigest()[:16]
    return openai.conversation_of(way.request, tenant)


class Warmth:
    """Who answered each conversation last, in this process: that backend may still hold its
    prompt, and a tool loop should stay there.

    Args:
        limit: conversations remembered; the one not heard of for longest goes first.
        age_s: providers forget a prompt after some minutes.
    """

    def __init__(self, clock: Clock, *, limit: int = 20_000, age_s: float = 600.0) -> None:
        self._clock = clock
        self._limit = limit
        self._age_s = age_s
        self._known: OrderedDict[str, tuple[float, str]] = OrderedDict()

    def of(self, conversation: str) -> str:
        """`backend/model`, or nothing."""
        if not conversation:
            return ""
        found = self._known.get(conversation)
        if found is None or self._clock.monotonic() - found[0] > self._age_s:
            return ""
        return found[1]

    def note(self, conversation: str, candidate: Candidate) -> None:
        if not conversation:
            return
        name = f"{candidate.backend}/{candidate.model}"
        self._known[conversation] = (self._clock.monotonic(), name)
        self._known.move_to_end(conversation)
        if len(self._known) > self._limit:
            self._known.popitem(last=False)
