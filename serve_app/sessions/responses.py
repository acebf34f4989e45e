"""Stored responses of the Responses API in Redis: what was asked, and what came of it."""

from __future__ import annotations

from collections.abc import Collection

import msgspec
from msgspec import Struct

from serve_app.config.conversation_policy import ConversationPolicy
from serve_app.sessions.seal import Seals
from serve_app.sessions.turns import framed, unframed
from serve_app.store import keys
from serve_app.store.client import Store


class StoredResponse(Struct, frozen=True, array_like=True):
    """A response and where its conversation stood after it."""

    id: str
    status: str
    """`queued`, `in_progress`, `completed`, `incomplete`, `failed` or `cancelled`."""
    created_at: int
    """Unix seconds."""
    response: bytes
    """The response object, as JSON."""
    input_items: bytes = b"[]"
    """What was asked: a JSON array."""
    thread: str = ""
    """The conversation that it belongs to; empty: none was kept."""
    version: int = 0
    """How many turns that one had with this response; 0: it has no turn there."""
    task_id: str = ""
    """Of the task that makes it, for one in the background."""


class Responses:
    """Keeps responses, each as a whole.

    Args:
        policy: how long after their last use.
        seals: open what was sealed; seal too, with `encrypt`.

    Every method raises `StoreUnavailable`.
    """

    def __init__(
        self,
        store: Store,
        policy: ConversationPolicy,
        *,
        seals: Seals | None = None,
        encrypt: bool = False,
    ) -> None:
        self._store = store
        self._policy = policy
        self._seals = seals or Seals()
        self._sealing = self._seals if encrypt else None

    def reconfigure(self, policy: ConversationPolicy) -> None:
        self._policy = policy

    async def put(
        self, tenant: str, response: StoredResponse, *, was: Collection[str] | None = None
    ) -> bool:
        """Keep a response, in the place of what was kept under its id.

        Args:
            was: do so only if one of these is the status of what is there (nothing there has the
                status ""); None: whatever it is.

        Returns:
            False: the status was another one. Nothing was changed.
        """
        key = keys.stored_response(tenant, response.id)
        packed = framed(msgspec.msgpack.encode(response), self._sealing, key)
        listed = keys.conversation_responses(tenant, response.thread or response.id)
        args: list[str | bytes | int] = [
            packed,
            response.status,
            self._policy.response_life_s(tenant),
            response.id if response.thread else "",
            -1 if was is None else len(was),
            *(was or ()),
        ]
        return bool(await self._store.script("response_put", [key, listed], args))

    async def get(self, tenant: str, response_id: str) -> StoredResponse | None:
        """A response; None if there is none, or no key of ours opens it. Its time begins anew."""
        key = keys.stored_response(tenant, response_id)
        life_s = self._policy.response_life_s(tenant)
        stored, _ = await self._store.pipeline([("HGET", key, "body"), ("EXPIRE", key, life_s)])
        if stored is None:
            return None
        try:
            found = _decode(unframed(stored, self._seals, key))
        except (msgspec.MsgspecError, ValueError):
            return None
        if found.thread:  # what lists it lives as long
            listed = keys.conversation_responses(tenant, found.thread)
            await self._store.pipeline([("EXPIRE", listed, life_s)])
        return found

    async def delete(self, tenant: str, response_id: str) -> bool:
        """Forget a response; False if there was none. What was said stays in its conversation
        (`Items.delete_turn` takes it out there)."""
        return await self._store.delete(keys.stored_response(tenant, response_id)) > 0


_decode = msgspec.msgpack.Decoder(StoredResponse).decode
