"""Batches: many requests in one file, answered within a day; what is known of each."""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

Status = Literal[
    "validating",
    "failed",
    "in_progress",
    "finalizing",
    "completed",
    "expired",
    "cancelling",
    "cancelled",
]

OVER: Final = frozenset({"failed", "completed", "expired", "cancelled"})

ENDPOINTS: Final = ("/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses")
"""What the lines of a batch may be requests of."""

WINDOWS: Final = {"24h": 86_400}
"""`completion_window`, and its seconds."""


class Terms(Struct, frozen=True, omit_defaults=True):
    """What a batch was made with; it never changes. Times are Unix seconds, as everywhere here."""

    id: str
    tenant: str
    input_file_id: str
    endpoint: str
    window: str
    created_at: int
    expires_at: int
    metadata: dict[str, str] | None = None
    output_expire_s: int | None = None
    """Seconds after which its output goes; None: the policy's."""
    key: str = ""
    """SHA-256 of the key that it was made with, in hexadecimal: its lines are that key's."""
    user: str = ""
    key_id: str = ""


class LineError(Struct, frozen=True, omit_defaults=True):
    """Why a batch cannot be worked on."""

    code: str
    message: str
    line: int | None = None
    """From 1; None: it is of no line."""
    param: str | None = None


class Shard(Struct, frozen=True, array_like=True):
    """Lines of the input file that are worked off together: a range of its bytes."""

    start: int
    end: int
    first_line: int
    """Number of its first line, from 1; lines that are empty count."""
    requests: int


class Tally(Struct, frozen=True, array_like=True):
    """What requests came to."""

    completed: int = 0
    failed: int = 0
    expired: int = 0
    """Of those that failed, how many because the time was over."""
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0

    def __add__(self, more: Tally) -> Tally:
        names = self.__struct_fields__
        return Tally(*(getattr(self, name) + getattr(more, name) for name in names))


class ShardDone(Struct, frozen=True, array_like=True):
    """What one attempt at a shard wrote; that of the first attempt to say so counts."""

    output: str
    """Name of a part; empty: it has no line."""
    errors: str
    tally: Tally


class Batch(Struct, frozen=True):
    """A batch as it stands."""

    terms: Terms
    status: Status
    total: int = 0
    tally: Tally = Tally()
    shards: int = 0
    """How many there are; 0: it is not known yet."""
    done: int = 0
    """Of them."""
    model: str = ""
    """The model that its first line asks for."""
    output_file_id: str = ""
    error_file_id: str = ""
    errors: tuple[LineError, ...] = ()
    times: dict[str, int] = {}
    """When it came to a status, such as `in_progress`."""

    @property
    def id(self) -> str:
        return self.terms.id

    @property
    def tenant(self) -> str:
        return self.terms.tenant

    @property
    def is_over(self) -> bool:
        return self.status in OVER


class BatchQuery(Struct, frozen=True):
    """Which batches are to be listed: so many after one, the newest first."""

    after: str = ""
    limit: int = 20


class BatchPage(Struct, frozen=True):
    batches: list[Batch]
    has_more: bool
