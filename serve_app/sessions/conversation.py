"""A conversation around one request: what was said before goes in front, the turn is kept after.

The history is as long as the largest model that may answer can read. A candidate with a
smaller window gets it shortened by whole turns, counted with its own tokenizer where there is
one; nothing is cut that the caller itself sent.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from msgspec import Raw, Struct
from msgspec.structs import replace

from serve_app.config.structure import ConversationSettings
from serve_app.core.errors import Overloaded
from serve_app.core.messages import encode_messages
from serve_app.core.types import Candidate, ChatRequest, Message, Names
from serve_app.sessions.names import KeptNames
from serve_app.sessions.store import Conversations
from serve_app.sessions.tokens import TokenCounter, TokenizerCounter
from serve_app.sessions.window import fit
from serve_app.store.errors import StoreUnavailable

logger = logging.getLogger(__name__)

_MARGIN_TOKENS = 32
"""For what a chat template puts before and after the messages."""


class Recall(Struct):
    """One request in its conversation; inactive where the caller named no session."""

    request: ChatRequest
    """With the history in front of the caller's own messages."""
    tenant: str = ""
    session: str = ""
    said: list[Message] = []
    """The caller's own messages, which become part of the turn."""
    shorten: Shorten | None = None

    @property
    def is_active(self) -> bool:
        return bool(self.session)

    @property
    def shortened(self) -> bool:
        """True once a candidate got less than the whole history."""
        return self.shorten is not None and self.shorten.cut > 0


class Shorten:
    """Makes a conversation fit a candidate; `cut` is how many messages the last one lost."""

    def __init__(
        self,
        messages: list[Message],
        reply_tokens: int,
        counters: Mapping[str, TokenCounter],
        estimate: TokenCounter,
    ) -> None:
        self._messages = messages
        self._reply_tokens = reply_tokens
        self._counters = counters
        self._estimate = estimate
        self.cut = 0

    def __call__(self, candidate: Candidate) -> dict[str, bytes]:
        """The fields in which this candidate's request differs; see `backends.execute.Prepare`."""
        counter = self._counters.get(candidate.backend, self._estimate)
        reply = min(self._reply_tokens, candidate.context // 2)
        budget = candidate.context - reply - _MARGIN_TOKENS
        kept, self.cut = fit(self._messages, budget, counter.count)
        return {"messages": encode_messages(kept)} if self.cut else {}


class Conversation:
    """Recalls and remembers turns.

    Args:
        counters: by backend, for models whose own tokenizer is at hand.
        estimate: for all the others.
        names: what the placeholders of conversations stand for.
    """

    def __init__(
        self,
        store: Conversations,
        settings: ConversationSettings,
        counters: Mapping[str, TokenCounter],
        estimate: TokenCounter,
        names: KeptNames,
    ) -> None:
        self._store = store
        self._names = names
        self._settings = settings
        self._counters = counters
        self._estimate = estimate

    def start(self) -> None:
        """Begin loading tokenizers, so that no request waits for them."""
        for counter in self._counters.values():
            if isinstance(counter, TokenizerCounter):
                counter.start()

    async def names(self, tenant: str, session: str | None) -> Names:
        """What the placeholders of a session stand for so far.

        Raises:
            Overloaded: that cannot be read.
        """
        if session is None:
            return ()
        try:
            return await self._names.load(tenant, session)
        except StoreUnavailable as error:
            raise _unreadable() from error

    async def recall(self, tenant: str, session: str | None, request: ChatRequest) -> Recall:
        """The request with its history.

        Raises:
            Overloaded: the history cannot be read. Answering without it would be wrong.
        """
        if session is None:
            return Recall(request)
        try:
            history = await self._store.load(tenant, session)
        except StoreUnavailable as error:
            raise _unreadable() from error
        said = request.params.messages
        messages = [*history, *said]
        for counter in self._counters.values():
            await counter.warm(messages)
        return Recall(
            request=_with_messages(request, messages) if history else request,
            tenant=tenant,
            session=session,
            said=said,
            shorten=Shorten(messages, self._reply_tokens(request), self._counters, self._estimate),
        )

    async def remember(self, recall: Recall, answer: Message, names: Names = ()) -> bool:
        """Keep the turn; False (and a line in the log) if it could not be kept.

        Args:
            names: placeholders that are new in it; kept where there is a key for that.
        """
        turn = [*recall.said, answer]
        if names:
            await self._names.add(recall.tenant, recall.session, names)
        try:
            return await self._store.append(recall.tenant, recall.session, turn) > 0
        except StoreUnavailable as error:
            logger.warning("a turn was not kept: %s", error)
            return False

    def _reply_tokens(self, request: ChatRequest) -> int:
        return request.max_output_tokens or self._settings.reply_tokens


def _unreadable() -> Overloaded:
    return Overloaded(
        "The conversation cannot be read just now",
        code="session_store_unavailable",
        retry_after_s=2,
    )


def _with_messages(request: ChatRequest, messages: list[Message]) -> ChatRequest:
    fields = {**request.fields, "messages": Raw(encode_messages(messages))}
    return ChatRequest(fields, replace(request.params, messages=messages))
