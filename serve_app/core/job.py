"""Work that outlives a request: what is to be done, and what came of it."""

from __future__ import annotations

from msgspec import Struct

from serve_app.core.trace import Trace
from serve_app.core.types import Priority


class Job(Struct, frozen=True, omit_defaults=True):
    """A request that is answered later, by whoever has time for it: what its caller would have
    sent over HTTP, without the connection."""

    path: str
    """Of the API that the body is of: `/v1/chat/completions`, `/v1/responses`, `/agent/chat`..."""
    body: bytes
    key: str = ""
    """SHA-256 of the caller's API key, 64 hexadecimal digits; empty: none was sent. The key must
    still be good when the work is done."""
    request_id: str = ""
    priority: Priority = "batch"
    headers: dict[str, str] = {}
    """Those of the caller's headers that mean something to the work, by lower-case name."""
    deadline_s: float = 60.0
    """How long the work may take, once begun."""
    once: str = ""
    """A name under which the work is billed once, however often it is done; empty: each time."""
    tenant: str = ""
    """Of the caller when the job was taken in; work of a key that is another's now is refused."""
    trace: Trace | None = None
    """Where the request stood in a trace that it was taken in by."""


class Outcome(Struct, frozen=True, omit_defaults=True):
    """What came of a job: the answer that its caller would have got over HTTP, and its cost."""

    status: int
    body: bytes
    code: str = ""
    """The error's code; empty: it went well."""
    is_final: bool = True
    """False if trying again may help (overload, a backend away)."""
    retry_after_s: float = 0.0
    backend: str = ""
    model: str = ""
    cache: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_micro_usd: int = 0
    request_id: str = ""
