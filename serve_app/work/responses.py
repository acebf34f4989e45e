"""What a response continues, and what is kept of it, whoever makes it: a request or a worker.

prepare  what it continues and refers to is read
fit      a question is told of its conversation
keep     it is stored, before anybody is told that it is
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Collection
from typing import Any, Final

import msgspec
from msgspec import Struct

from serve_app.core.clock import Clock
from serve_app.core.errors import BadRequest, NotFound, Overloaded
from serve_app.core.types import ChatRequest
from serve_app.passage import Ask, Facts
from serve_app.sessions.responses import Responses, StoredResponse
from serve_app.sessions.store import Conversations
from serve_app.store.errors import StoreUnavailable
from serve_app.wire.responses import shape
from serve_app.wire.responses.ids import response_of
from serve_app.wire.responses.items import Item, read_items
from serve_app.wire.responses.listing import input_items
from serve_app.wire.responses.request import Asked
from serve_app.wire.responses.terms import terms_of

log = logging.getLogger(__name__)

Json = dict[str, Any]

MAX_BYTES: Final = 4 << 20
"""Of one stored response; reading a larger one would outlast Redis's time limit."""
NO_MEMORY: Final = "session_store_unavailable"
"""Code of the error that says that Redis, and with it what is stored, is away."""
UNFINISHED: Final = ("queued", "in_progress")

_encode = msgspec.json.encode
_objects = msgspec.json.Decoder(list[Json]).decode
_object = msgspec.json.Decoder(Json).decode


class Place(Struct, frozen=True):
    """Where in a conversation a response belongs."""

    session: str
    at_version: int | None = None
    fork_to: str = ""


class Wanted(Struct):
    """A response that is about to be made."""

    asked: Asked
    shape: shape.Responses
    request: ChatRequest
    items: list[Item]
    place: Place | None = None
    task_id: str = ""

    @property
    def id(self) -> str:
        return self.shape.terms.id


class Responding:
    """Reads what responses need, and keeps them."""

    def __init__(self, responses: Responses, conversations: Conversations, clock: Clock) -> None:
        self.responses = responses
        self._conversations = conversations
        self._clock = clock

    async def prepare(
        self, tenant: str, asked: Asked, response_id: str = "", *, is_stored: bool | None = None
    ) -> Wanted:
        """Read what a request continues and refers to.

        Args:
            response_id: as it was told already; empty: a new one is made.
            is_stored: whether it is to be kept, where the request does not decide.

        Raises:
            NotFound: there is no such response, or conversation, of this tenant.
            BadRequest: that response cannot be continued.
            Overloaded: Redis is away.
        """
        terms = terms_of(asked, self._clock.wall(), response_id)
        if is_stored is not None:
            terms.is_stored = is_stored
        try:
            place = await self._place(tenant, asked, terms.id, terms.is_stored)
            stored = await self._referred(tenant, asked)
        except StoreUnavailable as error:
            raise away() from error
        made = shape.Responses(self._clock.wall, terms)
        return Wanted(asked, made, asked.chat(stored), asked.resolved(stored), place)

    def fit(self, wanted: Wanted, ask: Ask) -> Ask:
        """The question, told of its conversation."""
        if (place := wanted.place) is not None:
            ask.session, ask.at_version = place.session, place.at_version
            ask.fork_to = place.fork_to
            ask.instructions = wanted.asked.instructions
            if not wanted.shape.terms.is_stored:
                ask.keeps = _never
        ask.shows_tools = wanted.asked.runs_tools
        return ask

    def forgo(self, wanted: Wanted) -> None:
        """Nothing of it will be kept."""
        wanted.place, wanted.shape.terms.is_stored = None, False

    async def keep(
        self,
        wanted: Wanted,
        response: Json,
        facts: Facts,
        *,
        was: Collection[str] | None = None,
    ) -> bool:
        """Store a response that is over. Where that cannot be done, the response says so
        (`store`), and it can be neither fetched nor continued.

        Args:
            was: only if its status is still one of these.

        Returns:
            False: it is not kept.
        """
        terms = wanted.shape.terms
        if not terms.is_stored:
            return False
        kept = facts.session_version > 0 and await self._put(wanted, response, facts, was)
        if not kept:
            terms.is_stored = response["store"] = False
        return kept

    async def announce(self, tenant: str, wanted: Wanted, response: Json) -> StoredResponse:
        """Store a response that is not made yet.

        Raises:
            Overloaded: Redis is away.
        """
        record = self._record(wanted, response, Facts())
        try:
            await self.responses.put(tenant, record)
        except StoreUnavailable as error:
            raise away() from error
        return record

    async def fail(self, tenant: str, wanted: Wanted, response: Json) -> None:
        """Store that a response could not be made, unless it is over already.

        Raises:
            StoreUnavailable: Redis is away.
        """
        record = self._record(wanted, response, Facts())
        await self.responses.put(tenant, record, was=UNFINISHED)

    async def _put(
        self, wanted: Wanted, response: Json, facts: Facts, was: Collection[str] | None
    ) -> bool:
        record = self._record(wanted, response, facts)
        if len(record.response) + len(record.input_items) > MAX_BYTES:
            return False
        try:
            return await self.responses.put(facts.identity.tenant, record, was=was)
        except StoreUnavailable as error:
            log.warning("a response was not stored: %s", error.reason)
            return False

    def _record(self, wanted: Wanted, response: Json, facts: Facts) -> StoredResponse:
        return StoredResponse(
            id=wanted.id,
            status=response["status"],
            created_at=wanted.shape.terms.created_at,
            response=_encode(response),
            input_items=_encode(input_items(wanted.items, wanted.id)),
            thread=facts.session,
            version=facts.session_version,
            task_id=wanted.task_id,
        )

    # ------------------------------------------------------------- what it continues

    async def _place(
        self, tenant: str, asked: Asked, response_id: str, is_stored: bool
    ) -> Place | None:
        fields = asked.fields
        fork_to = f"{response_id}.{secrets.token_hex(4)}"
        if (previous := fields.previous_response_id) is not None:
            record = await self._previous(tenant, previous)
            return Place(record.thread, record.version, fork_to)
        if (conversation := fields.conversation_id) is not None:
            thread = await self._conversations.page(tenant, conversation, 0, 1)
            if not thread.is_there:
                raise NotFound(
                    "There is no such conversation",
                    param="conversation",
                    code="conversation_not_found",
                )
            return Place(conversation)
        return Place(response_id, 0, fork_to) if is_stored else None

    async def _previous(self, tenant: str, response_id: str) -> StoredResponse:
        record = await self.responses.get(tenant, response_id)
        if record is None:
            raise NotFound(
                "There is no such response: it was not stored, was deleted, or is over",
                param="previous_response_id",
                code="previous_response_not_found",
            )
        if not record.version:
            raise BadRequest(
                f"The response is {record.status}; only one that came to its end is continued",
                param="previous_response_id",
                code="previous_response_unfinished",
            )
        return record

    async def _referred(self, tenant: str, asked: Asked) -> dict[str, Item]:
        """The items that a request refers to, as far as they are stored."""
        wanted = asked.references()
        owners = dict.fromkeys(owner for id_ in wanted if (owner := response_of(id_)) is not None)
        found: dict[str, Item] = {}
        for owner in owners:
            record = await self.responses.get(tenant, owner)
            if record is not None:
                found |= {id_: item for id_, item in _items(record) if id_ in wanted}
        return found


def task_of(response_id: str) -> str:
    """The task that makes a background response."""
    return f"task_{response_id[5:29]}"


def _items(record: StoredResponse) -> list[tuple[str, Item]]:
    shown = [*_object(record.response)["output"], *_objects(record.input_items)]
    return list(zip([one["id"] for one in shown], read_items(shown), strict=True))


def _never(message: object) -> bool:
    return False


def away() -> Overloaded:
    return Overloaded(
        "Stored responses cannot be reached just now",
        code=NO_MEMORY,
        retry_after_s=2,
    )
