"""Conversations in Redis: turns in, the end of a conversation out; this process keeps nothing."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Final, Literal

from serve_app.config.conversation_policy import ConversationPolicy
from serve_app.core.clock import Clock
from serve_app.core.types import Message
from serve_app.sessions.forking import Draft
from serve_app.sessions.names import MOST_TURNS
from serve_app.sessions.seal import Seals
from serve_app.sessions.shelf import END, NOTES, SUMMARY, Shelf, both, described
from serve_app.sessions.thread import Thread
from serve_app.sessions.tokens import HeuristicCounter
from serve_app.sessions.turns import Count, Turn, pack, turn_of
from serve_app.store import keys
from serve_app.store.client import Store

MAX_TURN_BYTES: Final = 1 << 20
"""A larger turn is not kept: reading it back each time would outlast Redis's time limit."""

PAGE_TURNS: Final = 64
PAGE_BYTES: Final = 1 << 20
"""Of one reading where a whole conversation is gone through."""

_ANY: Final = -1


class Moved(Exception):
    """The conversation is not where its caller saw it.

    Args:
        version: how many turns there are now. Fewer than were seen: it was deleted, or is over.
    """

    def __init__(self, version: int) -> None:
        super().__init__(f"the conversation has {version} turns now")
        self.version = version


class Conversations:
    """The turns of each session, oldest first, as one list in Redis, and a hash beside it.

    A turn is one element of that list: it is there as a whole or not at all. Turns are counted
    from the first one ever (`Turn.number`), so that a turn's number stays when older ones are
    forgotten. How many there ever were is the conversation's version.

    Args:
        policy: what is kept, for how long after the last use, and how much a request reads.
        clock: for when conversations began, and for how often the log hears of turns that cannot
            be read.
        seals: open what was sealed; seal too, with `encrypt`.
        count: tokens of a message; kept with it.

    Raises:
        ValueError: `encrypt` without a key.

    Every method raises `StoreUnavailable`.
    """

    def __init__(
        self,
        store: Store,
        policy: ConversationPolicy,
        clock: Clock,
        *,
        seals: Seals | None = None,
        encrypt: bool = False,
        count: Count | None = None,
    ) -> None:
        seals = seals or Seals()
        if encrypt and not seals.can_seal:
            raise ValueError("nothing can be sealed without a key")
        sealing = seals if encrypt else None
        self._store = store
        self._shelf = Shelf(store, policy, clock, seals, sealing, count or _ROUGH.count)

    def reconfigure(self, policy: ConversationPolicy) -> None:
        self._shelf.policy = policy

    # ------------------------------------------------------------------ reading

    async def read(self, tenant: str, session_id: str, *, at_version: int | None = None) -> Thread:
        """The end of a conversation, or what came before one of its versions: no more than the
        policy lets a request look at, however long it is.

        Args:
            at_version: so many of its turns count; None: all. Where there never were so many,
                the thread's `version` is less.
        """
        policy = self._shelf.policy
        limits = policy.read_turns, policy.read_bytes
        end = END if at_version is None else at_version
        return await self._shelf.read("back", tenant, session_id, end, limits)

    async def load(self, tenant: str, session_id: str) -> list[Message]:
        """The messages of the end of a conversation; none for one that is unknown or over."""
        return (await self.read(tenant, session_id)).messages

    async def page(self, tenant: str, session_id: str, start: int, most: int) -> Thread:
        """At most `most` turns from one on, by number; fewer where they are long."""
        return await self._shelf.read("on", tenant, session_id, start, (most, PAGE_BYTES))

    async def page_back(self, tenant: str, session_id: str, end: int, most: int) -> Thread:
        """At most `most` turns before one, by number, oldest first; below 0: the last ones."""
        return await self._shelf.read("back", tenant, session_id, end, (most, PAGE_BYTES))

    async def export(self, tenant: str, session_id: str) -> AsyncGenerator[Thread, None]:
        """All that is kept of a conversation, page by page, oldest first; one page at least.

        Every page tells what is known of the conversation besides its turns.
        """
        start = 0
        while True:
            thread = await self.page(tenant, session_id, start, PAGE_TURNS)
            yield thread
            if not thread.turns or thread.turns[-1].number + 1 >= thread.version:
                return
            start = thread.turns[-1].number + 1

    # ------------------------------------------------------------------ writing

    async def append(
        self,
        tenant: str,
        session_id: str,
        turn: Sequence[Message],
        expected: int | None = None,
        *,
        late: bool = False,
        was_there: bool = False,
        names: bytes = b"",
    ) -> int:
        """Add a turn at the end; turns beyond the limits are forgotten, oldest first.

        Args:
            expected: the version that its caller saw; None: whatever it is.
            late: add it also if others have spoken since, after them.
            was_there: its caller saw a conversation, be it an empty one.
            names: what placeholders in it stand for, sealed (`KeptNames.sealed`); kept with it.

        Returns:
            The version now; 0 if this turn is too large to be kept.

        Raises:
            Moved: the version is not the expected one, or it is not there any more. Nothing was
                added.
        """
        shelf, made = self._shelf, turn_of(0, turn, self._shelf.count)
        packed = pack(made)
        if len(packed) > MAX_TURN_BYTES:
            return 0
        policy, places = shelf.policy, both(tenant, session_id)
        args = (
            shelf.framed(packed, places[0]),
            _ANY if expected is None else expected,
            int(late),
            policy.max_turns,
            policy.max_bytes,
            policy.life_s(tenant),
            int(shelf.clock.wall()),
            made.tokens,
            shelf.pin(made, places[0]),
            int(was_there),
            names,
            MOST_TURNS,
        )
        places.append(keys.session_names(tenant, session_id))
        outcome, version = await self._store.script("conversation_append", places, args)
        if outcome != 1:
            raise Moved(int(version))
        return int(version)

    async def create(self, tenant: str, session_id: str, metadata: Mapping[str, str]) -> bool:
        """Begin a conversation in which nothing was said yet; False if there is one."""
        return await self._note("new", tenant, session_id, metadata)

    async def set_metadata(self, tenant: str, session_id: str, metadata: Mapping[str, str]) -> bool:
        """Replace a caller's notes on a conversation; False if there is none."""
        return await self._note("old", tenant, session_id, metadata)

    async def fork(self, tenant: str, source: str, at_version: int, target: str) -> int:
        """Copy the first `at_version` turns, as far as they are kept, to a new conversation.

        It is there as a whole or not at all. Turns keep their numbers.

        Returns:
            The version of the new one: `at_version`.

        Raises:
            Moved: there never were so many turns, or there is a conversation of the new name.
        """
        draft = Draft(self._shelf, tenant, source, target)
        head = await draft.fill(at_version)
        if head.version < at_version:
            raise Moved(head.version)
        if not await draft.land(at_version, head):
            raise Moved((await self.read(tenant, target)).version)
        return at_version

    async def replace(self, tenant: str, session_id: str, old: Turn, new: Turn) -> bool:
        """Put a turn in the place of one; False if that one is not there as it was.

        A summary that may tell of it is deleted.
        """
        shelf, names = self._shelf, both(tenant, session_id)
        _, gone, _, stored = await shelf.raw("on", tenant, session_id, old.number, (1, PAGE_BYTES))
        if not stored or gone > old.number or shelf.turn(old.number, stored[0], names[0]) != old:
            return False
        args = (
            old.number,
            stored[0],
            shelf.packed(new, names[0]),
            shelf.pin(new, names[0]),
            new.tokens - old.tokens,
        )
        return bool(await self._store.script("conversation_swap", names, args))

    async def delete(self, tenant: str, session_id: str) -> bool:
        """Forget a session with all that is kept of it: turns, summary, metadata, what its
        placeholders stand for, its stored responses. False if there was none."""
        listed = keys.conversation_responses(tenant, session_id)
        [responses] = await self._store.pipeline([("SMEMBERS", listed)])
        more = [keys.stored_response(tenant, one.decode()) for one in responses]
        more += [
            keys.session_names(tenant, session_id),
            keys.conversation_draft(tenant, session_id),
        ]
        there, _ = await self._store.pipeline(
            [("DEL", *both(tenant, session_id)), ("DEL", listed, *more)], transaction=True
        )
        return bool(there)

    # ------------------------------------------------------------------ summaries

    async def claim_summary(self, tenant: str, session_id: str, upto: int, for_s: int) -> str:
        """The right to sum up the turns before `upto`, for so many seconds: a token, or nothing
        if somebody is at it, or it is not needed."""
        token = secrets.token_hex(8)
        args = (upto, token, b"", for_s)
        granted = await self._store.script("conversation_sum", both(tenant, session_id), args)
        return token if granted else ""

    async def put_summary(
        self, tenant: str, session_id: str, upto: int, text: str, token: str
    ) -> bool:
        """Keep a summary; False if the conversation is not what it was when it was claimed."""
        names = both(tenant, session_id)
        packed = text.encode("utf-8", "surrogatepass")
        sealed = self._shelf.framed(packed, names[0] + SUMMARY)
        args = (upto, token, sealed, 0)
        return bool(await self._store.script("conversation_sum", names, args))

    async def _note(
        self, when: Literal["new", "old"], tenant: str, session: str, metadata: Mapping[str, str]
    ) -> bool:
        shelf, names = self._shelf, both(tenant, session)
        noted = shelf.framed(described(dict(metadata)), names[0] + NOTES)
        args = (when, shelf.policy.life_s(tenant), int(shelf.clock.wall()), "meta", noted)
        return bool(await self._store.script("conversation_note", names, args))


_ROUGH: Final = HeuristicCounter(lambda text: len(text.encode("utf-8", "surrogatepass")) // 4 + 1)
