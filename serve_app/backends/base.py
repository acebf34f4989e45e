"""A workshop's contract: one call in, chunks out, one kind of failure."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Literal, Protocol

from msgspec import Struct

from serve_app.core.trace import Trace
from serve_app.core.types import Chunk, Endpoint, Priority
from serve_app.core.vital import Headroom

FailureKind = Literal["transient", "candidate", "caller", "content"]
"""`transient`: trying again may help (429, 5xx, reset, time-out, truncated).
`candidate`: this candidate will not do, another may (bad key, unknown model, prompt too long).
`caller`: the request is wrong wherever it goes; straight back to the caller.
`content`: the provider's content policy refused it; back to the caller unless policy says to
ask another candidate."""

Service = Endpoint | Literal["moderations"]
"""What a backend can be asked for: what callers may ask of us, and what we ask for ourselves."""


class Call(Struct, frozen=True, gc=False):
    """One attempt, as a backend gets it."""

    backend: str
    model: str
    body: bytes
    """The JSON request, `model` already the backend's own name."""
    stream: bool
    request_id: str
    timeout_s: float
    """Seconds this attempt may take in all; the backend's own limits also hold."""
    choices: int = 1
    """How many answers were asked for (`n`): a stream is complete when each has ended."""
    endpoint: Service = "chat"
    prefix: str = ""
    """The beginning of the answer, to be gone on from. The backend asks for it in its own way;
    the chunks it yields then hold only what comes after it."""
    tenant: str = "default"
    priority: Priority = "interactive"
    """With `tenant`: in which order calls go that have to wait here for each other."""
    trace: Trace | None = None
    """Where this call stands in a trace; None: in none. Told to backends that may know it."""


FULL = "full"
"""`code` of a refusal by our own bounds (calls at once, keys that rest); says nothing about the
backend."""


BUSY = "local_model_busy"
"""`code` of a call that got no turn at a model of ours: asking again soon would only jump the
queue. Says nothing about the backend, which is well."""


UNSUPPORTED = "unsupported"
"""`code` of a call that has no words in the backend's dialect; says nothing about the backend."""


class AttemptFailed(Exception):
    """An attempt ended without a whole answer.

    `status` is the provider's HTTP status, 0 where there was none. `message` is safe to show:
    no key, no header.
    """

    def __init__(
        self,
        kind: FailureKind,
        message: str,
        *,
        status: int = 0,
        code: str = "",
        param: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(kind, message, status, code, param, retry_after_s)
        self.kind = kind
        self.message = message
        self.status = status
        self.code = code
        self.param = param
        self.retry_after_s = retry_after_s

    def meaning(
        self, kind: FailureKind, *, code: str | None = None, retry_after_s: float | None = None
    ) -> AttemptFailed:
        """The same failure, seen by somebody who knows more: another kind, another wait."""
        return AttemptFailed(
            kind,
            self.message,
            status=self.status,
            code=self.code if code is None else code,
            param=self.param,
            retry_after_s=retry_after_s,
        )

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}" + (f" (HTTP {self.status})" if self.status else "")


class Health(Struct, frozen=True, gc=False):
    ok: bool
    detail: str = ""
    key_refused: bool = False
    """The provider refuses all our keys."""


class Batches(Protocol):
    """Batches of chunks as they arrive; an async generator is one."""

    def __aiter__(self) -> AsyncIterator[list[Chunk]]: ...

    async def __anext__(self) -> list[Chunk]: ...

    async def aclose(self) -> None:
        """Cancel what still runs upstream; harmless after the end."""


class Backend(Protocol):
    """Makes answers. Batches of chunks are what arrived together; the first comes at once."""

    name: str
    tells_trace: bool
    """Whether who answers may be told where the call stands in a trace."""

    def run(self, call: Call) -> Batches:
        """Answer one call.

        A non-streaming call yields one batch with one `whole` chunk. Every stream that ends
        without `AttemptFailed` is complete: it had a finish reason for its choices. Closing the
        iterator cancels the call upstream.

        Raises:
            AttemptFailed: before or after chunks were yielded.
        """

    def headroom(self, model: str) -> Headroom | None:
        """What the provider's rate limits still allow, as its last answer said; None: unknown.
        `resets_in_s` counts from now."""

    async def health(self) -> Health:
        """Whether calls can be expected to work, from what is known; never a paid request."""

    async def close(self) -> None:
        """Let go of connections."""
