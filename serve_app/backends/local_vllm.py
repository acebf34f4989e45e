"""A vLLM model on this cluster, reached through a transport that the graph provides."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Protocol

import msgspec
from msgspec import Raw, Struct

from serve_app.backends.base import UNSUPPORTED, AttemptFailed, Call, Health
from serve_app.backends.dialects.openai import OpenAIDecoder
from serve_app.backends.dialects.openai_reply import decode_whole
from serve_app.backends.patience import Patience
from serve_app.backends.reply import ReplyStream
from serve_app.backends.turns import Turns
from serve_app.backends.vectors import decode_vectors
from serve_app.config.backend_settings import LocalBackend
from serve_app.core.trace import Trace
from serve_app.core.types import Chunk, Endpoint
from serve_app.core.vital import Headroom, Queue

MAX_BODY_BYTES = 32 << 20


class _Format(Struct, frozen=True):
    """A request's `response_format`."""

    type: str = "text"


_encode = msgspec.json.encode
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_messages = msgspec.json.Decoder(list[Raw]).decode

_decode_format = msgspec.json.Decoder(_Format | None).decode

_GO_ON = {"continue_final_message": Raw(b"true"), "add_generation_prompt": Raw(b"false")}


class Pieces(Protocol):
    """Bytes of an answer as they come; an async generator is one."""

    async def __anext__(self) -> bytes: ...

    async def aclose(self) -> None:
        """Stop the model's work on this answer."""


class Transport(Protocol):
    """The way to the model's replicas."""

    def open(self, body: bytes, request_id: str, endpoint: Endpoint, trace: Trace | None) -> Pieces:
        """Answer a request: SSE in pieces if it asks for a stream, else one JSON body.

        Raises:
            AttemptFailed: while iterating; what it means is known best where it happens.
            Exception: while iterating; taken for a model that is away for a moment.
        """

    async def health(self) -> Health:
        """Whether a replica can take requests."""


class LocalVLLM:
    """One local model. At most `max_running` calls run at once; the others wait for a turn."""

    tells_trace = True

    def __init__(self, settings: LocalBackend, transport: Transport) -> None:
        self.name = settings.name
        self._limits = settings.timeouts
        self._transport = transport
        self._turns = Turns(
            settings.max_running,
            max_waiting=settings.max_waiting,
            max_wait_s=settings.max_wait_s,
        )

    async def run(self, call: Call) -> AsyncGenerator[list[Chunk], None]:
        """See `Backend.run`."""
        if call.endpoint == "moderations":
            raise AttemptFailed("candidate", "a local model moderates nothing", code=UNSUPPORTED)
        body = _begun(call.body, call.prefix) if call.prefix else call.body
        sent = asyncio.get_running_loop().time()
        began = await self._turns.take(call.tenant, call.priority, call.timeout_s)
        try:
            pieces = self._transport.open(body, call.request_id, call.endpoint, call.trace)
            answer = _Answer(pieces, self._patience(call, began, waited_s=began - sent))
            try:
                if call.endpoint == "embeddings":
                    yield [decode_vectors(await answer.body())]
                elif call.stream:
                    reply = ReplyStream(OpenAIDecoder(), call.choices)
                    while batch := await reply.next(answer):
                        yield batch
                else:
                    yield [decode_whole(await answer.body())]
            finally:
                await answer.close()
        finally:
            self._turns.give_back(began)

    def _patience(self, call: Call, began: float, waited_s: float) -> Patience:
        """Only the whole limit counts from before the wait: a busy model is not a silent one."""
        limits = self._limits
        total_s = min(limits.total_s, call.timeout_s - waited_s)
        return Patience(
            began,
            # A whole answer comes in one piece when it is done: only its end can be waited for.
            first_s=limits.first_token_s if call.stream else total_s,
            idle_s=limits.idle_s,
            total_s=total_s,
        )

    def queue(self) -> Queue:
        """How many calls run and wait, and were refused."""
        return self._turns.state()

    def headroom(self, model: str) -> Headroom | None:
        """None: nobody limits the rate here but `max_running`, and vitals count what runs."""
        return None

    async def health(self) -> Health:
        return await self._transport.health()

    async def close(self) -> None:
        """Nothing to let go of: the transport belongs to the graph."""


def _begun(body: bytes, prefix: str) -> bytes:
    """The request with the beginning of its answer, which vLLM then goes on from.

    Raises:
        AttemptFailed: the answer has to follow a schema. vLLM would hold what it adds to the
            schema from its start, as if nothing had been said.
    """
    fields = _decode_fields(body)
    wanted = _decode_format(fields.get("response_format", b"null"))
    if wanted is not None and wanted.type != "text":
        raise AttemptFailed(
            "candidate", "an answer that follows a schema cannot be gone on from", code=UNSUPPORTED
        )
    begun = Raw(_encode({"role": "assistant", "content": prefix}))
    messages = Raw(_encode([*_decode_messages(fields["messages"]), begun]))
    return _encode({**fields, "messages": messages, **_GO_ON})


class _Answer:
    """The pieces of one answer under its limits of time."""

    def __init__(self, pieces: Pieces, patience: Patience) -> None:
        self._pieces = pieces
        self._patience = patience

    async def read(self) -> bytes:
        try:
            while True:
                async with asyncio.timeout_at(self._patience.due_at):
                    piece = await self._pieces.__anext__()
                if piece:  # an empty one means nothing here, and the end to who reads
                    return piece
        except StopAsyncIteration:
            return b""
        except AttemptFailed:
            raise
        except TimeoutError as error:
            raise self._patience.overrun() from error
        except Exception as error:
            raise AttemptFailed(
                "transient", f"the local model does not answer ({type(error).__name__})"
            ) from error

    async def body(self) -> bytes:
        pieces: list[bytes] = []
        size = 0
        while piece := await self.read():
            pieces.append(piece)
            size += len(piece)
            if size > MAX_BODY_BYTES:
                raise AttemptFailed(
                    "candidate", f"the answer is larger than {MAX_BODY_BYTES} bytes"
                )
        return b"".join(pieces)

    def hold(self) -> None:
        self._patience.hold()

    def resume(self, at_most_s: float | None = None) -> None:
        self._patience.resume(asyncio.get_running_loop().time(), at_most_s)

    async def close(self) -> None:
        await self._pieces.aclose()
