"""A conversation around one request: what was said before goes in front, the turn is kept after.

The history is as long as the largest model that may answer can read, and no longer than the cap.
A candidate with a smaller window gets it shortened further, counted with its own tokenizer where
there is one; nothing is cut that the caller itself sent.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from serve_app.config.conversation_policy import ConversationPolicy
from serve_app.core.errors import Conflict, NotFound, Overloaded
from serve_app.core.screening import Names
from serve_app.core.trail import Trail
from serve_app.core.types import ChatRequest, Message
from serve_app.sessions.names import KeptNames
from serve_app.sessions.prompt import Asked
from serve_app.sessions.renaming import renamed
from serve_app.sessions.shortening import Room, Shorten, shortened
from serve_app.sessions.store import Conversations, Moved
from serve_app.sessions.thread import Thread
from serve_app.sessions.tokens import TokenCounter, TokenizerCounter
from serve_app.sessions.window import History, Layout
from serve_app.store.errors import StoreUnavailable

logger = logging.getLogger(__name__)

CONFLICT: Final = "session_conflict"

_LATE_TRIES: Final = 5


class Wish(Struct, frozen=True):
    """How one request wants its conversation continued; see `passage.Ask`."""

    tenant: str
    session: str
    at_version: int | None = None
    fork_to: str = ""
    instructions: int = 0
    max_prompt_tokens: int | None = None


class Opened(Struct, frozen=True):
    """A conversation as a request found it: read once, before anything is decided."""

    wish: Wish
    thread: Thread
    names: Names = ()
    """What its placeholders stand for."""


class Recall(Struct):
    """One request in its conversation; inactive where the caller named no session."""

    request: ChatRequest
    """With the history in front of the caller's own messages."""
    opened: Opened | None = None
    said: list[Message] = []
    """The caller's own messages, which become part of the turn."""
    shorten: Shorten | None = None
    layout: Layout | None = None
    """What of the conversation is sent, before a candidate is known."""

    @property
    def is_active(self) -> bool:
        return self.opened is not None

    @property
    def shortened(self) -> bool:
        """True once a candidate got less than others may."""
        return self.shorten is not None and self.shorten.is_cut

    @property
    def has_history(self) -> bool:
        return self.opened is not None and self.opened.thread.at > 0


class Kept(Struct, frozen=True):
    """Where a turn was added, and how many turns there are with it."""

    session: str
    version: int


class Conversation:
    """Recalls and remembers turns.

    Args:
        policy: of the moment.
        counters: by backend, for models whose own tokenizer is at hand.
        estimate: for all the others.
        names: what the placeholders of conversations stand for.
        context: of the largest model there is, in tokens.
    """

    def __init__(
        self,
        store: Conversations,
        policy: ConversationPolicy,
        counters: Mapping[str, TokenCounter],
        estimate: TokenCounter,
        names: KeptNames,
        context: int,
    ) -> None:
        self.store = store
        self._policy = policy
        self._names = names
        self._counters = counters
        self._estimate = estimate
        self._context = context

    def reconfigure(self, policy: ConversationPolicy) -> None:
        """Apply a checked policy to the requests that come."""
        self._policy = policy
        self.store.reconfigure(policy)
        self._names.reconfigure(policy)

    def start(self) -> None:
        """Begin loading tokenizers, so that no request waits for them."""
        for counter in self._counters.values():
            if isinstance(counter, TokenizerCounter):
                counter.start()

    async def open(self, wish: Wish, *, with_names: bool) -> Opened:
        """Read a conversation.

        What its placeholders stand for is read after the turns: whatever is added in between is
        noticed when this request's turn is.

        Raises:
            NotFound: it never had so many turns as it is to be continued after, or is over.
            Overloaded: it cannot be read. Answering without it would be wrong.
        """
        names: Names = ()
        try:
            thread = await self.store.read(wish.tenant, wish.session, at_version=wish.at_version)
            if with_names:
                names = await self._names.load(wish.tenant, wish.session)
        except StoreUnavailable as error:
            raise _unreadable() from error
        if thread.version < (wish.at_version or 0):
            raise NotFound(
                "The conversation is not there as far as it is to be continued",
                code="conversation_not_found",
            )
        return Opened(wish, thread, names)

    async def recall(self, opened: Opened, request: ChatRequest, trail: Trail) -> Recall:
        """The request with as much of its history as fits the largest model."""
        policy, wish, thread = self._policy, opened.wish, opened.thread
        asked = Asked(request, wish.instructions)
        history = History(thread, asked.said, policy)
        caps = [cap for cap in (policy.max_prompt_tokens, wish.max_prompt_tokens) if cap]
        reply_tokens = request.max_output_tokens or policy.reply_tokens
        room = Room(asked, reply_tokens, min(caps, default=None))
        for counter in self._counters.values():
            await counter.warm([*thread.messages, *asked.said])
        base = shortened(history, room, self._context, self._estimate, self._estimate)
        base.note(trail, thread.at)
        messages = base.told.messages
        return Recall(
            asked.behind(messages) if messages else request,
            opened,
            asked.said,
            Shorten(history, room, base, self._counters, self._estimate, trail),
            base.layout,
        )

    async def remember(
        self, recall: Recall, answer: Message, names: Names = (), *, late: bool = False
    ) -> Kept | None:
        """Keep the turn; None (and a line in the log) if it could not be kept.

        Args:
            names: placeholders that are new in it; kept where there is a key for that.
            late: keep it also if somebody else spoke in between, after that.

        Raises:
            Conflict: somebody else spoke in between. Nothing was kept.
        """
        assert recall.opened is not None, "only turns of conversations are remembered"
        opened, turn = recall.opened, [*recall.said, answer]
        try:
            if opened.wish.fork_to:
                return await self._add_or_fork(opened, turn, names)
            return await self._add(opened, turn, names, late=late)
        except StoreUnavailable as error:
            logger.warning("a turn was not kept: %s", error)
        except Moved as moved:
            if moved.version > opened.thread.at:
                raise _conflict() from None
            logger.info("a turn was not kept: its conversation was deleted meanwhile")
        return None

    async def _add(
        self, opened: Opened, turn: list[Message], names: Names, *, late: bool
    ) -> Kept | None:
        """Add a turn where the conversation was, or after what came since."""
        version = opened.thread.at
        for _ in range(_LATE_TRIES):
            try:
                return await self._append(opened, turn, names, version)
            except Moved as moved:
                if not late or moved.version <= version:
                    raise
                version = moved.version
            if names:
                wish = opened.wish
                turn, names = renamed(
                    turn, names, await self._names.load(wish.tenant, wish.session)
                )
        return await self._append(opened, turn, names, version, late=True)

    async def _add_or_fork(self, opened: Opened, turn: list[Message], names: Names) -> Kept | None:
        """Add a turn where the conversation was; if that went on, to a copy of its beginning."""
        try:
            return await self._append(opened, turn, names, opened.thread.at)
        except Moved as moved:
            if moved.version <= opened.thread.at:
                raise
        wish, at = opened.wish, opened.thread.at
        await self.store.fork(wish.tenant, wish.session, at, wish.fork_to)
        await self._names.copy(wish.tenant, wish.session, wish.fork_to)
        forked = Opened(Wish(wish.tenant, wish.fork_to), opened.thread, opened.names)
        return await self._append(forked, turn, names, at)

    async def _append(
        self,
        opened: Opened,
        turn: list[Message],
        names: Names,
        version: int,
        *,
        late: bool = False,
    ) -> Kept | None:
        wish = opened.wish
        made = await self.store.append(
            wish.tenant,
            wish.session,
            turn,
            version,
            late=late,
            was_there=opened.thread.is_there,
            names=self._names.sealed(wish.tenant, wish.session, names),
        )
        return Kept(wish.session, made) if made else None


def _conflict() -> Conflict:
    return Conflict(
        "Another message was added to the conversation meanwhile; send this one again",
        code=CONFLICT,
        retry_after_s=1,
    )


def _unreadable() -> Overloaded:
    return Overloaded(
        "The conversation cannot be read just now",
        code="session_store_unavailable",
        retry_after_s=2,
    )
