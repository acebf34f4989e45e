"""The values that the cache and its callers hand each other: what is asked, found, kept, purged."""

from __future__ import annotations

from msgspec import Struct

MAX_TAGS = 16
MAX_TAG_CHARS = 64
"""Of a tag by which an answer can be purged."""


class Question(Struct, frozen=True, gc=False):
    """What a request asks last, and everything else that it says as a digest.

    Answers may only be shared between alike questions of one partition.
    """

    partition: str
    """Hex digest of the whole fingerprint but the last user text."""
    text: str
    ttl_s: int = 0
    """Seconds that an answer may be found by likeness; counts when storing."""


class Lookup(Struct, frozen=True, gc=False):
    fingerprint: str
    tenant: str = "default"
    """Whose answers these are: a tenant, or the name of a declared shared scope."""
    max_age_s: int | None = None
    """No older answer is wanted."""
    holder: str = ""
    """Who takes the lease of the flight if nothing is found; empty: nobody."""
    question: Question | None = None
    """Set where an answer to an alike question may do."""
    flight: str = ""
    """Name of the flight: a stream and a body of one fingerprint are two. Empty: it is that."""


class Entry(Struct, gc=False):
    """A stored answer: the bytes a caller was sent, and what is needed to serve them again."""

    streamed: bool
    """True: `payload` is msgpack of the list of event payloads; False: one JSON body."""
    payload: bytes
    backend: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    cost_micro_usd: int
    stored_at: float
    """Unix seconds."""
    expires_at: float
    """Unix seconds; 0 never expires."""
    fresh_until: float = 0.0
    """Unix seconds; from then on it may be served while a new one is made. 0: fresh to its end."""
    tags: tuple[str, ...] = ()
    """By which it can be purged."""
    asked_at: float = 0.0
    """Unix seconds at which its request came: a purge since then is of it too. 0: `stored_at`."""


class Likeness(Struct, frozen=True, gc=False):
    """How much a stored question is like the one asked."""

    fingerprint: str
    """Of the stored entry."""
    cosine: float
    score: float
    """Estimated probability that one answer serves both."""
    verify: bool = False
    """True: answer afresh and compare, so that the cache learns; `Fill.check` hands it back."""


class Found(Struct, gc=False):
    """Result of a lookup: `level` is `l1`, `l2`, `semantic` or `miss`.

    A miss may come with an entry and a likeness with `verify`: that is what would have been served.
    """

    level: str
    entry: Entry | None = None
    leads: bool = True
    """False: another replica holds the lease of this flight, its answer is under way."""
    likeness: Likeness | None = None


class Check(Struct, frozen=True, gc=False):
    """A fresh answer to be compared with what the cache would have served."""

    fingerprint: str
    """Of the entry that would have been served."""
    score: float
    cosine: float


class Fill(Struct, frozen=True, gc=False):
    fingerprint: str
    entry: Entry
    tenant: str = "default"
    holder: str = ""
    """Whose lease ends once the entry is there; empty: none."""
    asked_at: float = 0.0
    """Unix seconds at which the request came: a purge since then is of this answer too."""
    question: Question | None = None
    check: Check | None = None
    flight: str = ""
    """As in `Lookup`."""


class Purge(Struct, frozen=True, gc=False):
    """Which answers are to go: those that match every field that is set."""

    tenant: str = ""
    model: str = ""
    tag: str = ""
    fingerprint: str = ""


class Purged(Struct, frozen=True, gc=False):
    """How many entries of Redis went; every replica's own go within a second."""

    entries: int = 0


class TopQuery(Struct, frozen=True, gc=False):
    tenant: str
    limit: int = 20


class Hot(Struct, frozen=True, gc=False):
    """A question that is asked often."""

    fingerprint: str
    text: str
    asked: int
    """Times in the last day or so; fades."""
    hits: int


class CacheState(Struct, frozen=True, gc=False):
    """The cache as the replica that was asked sees it."""

    l1_entries: int = 0
    l1_bytes: int = 0
    questions: int = 0
    """Entries that can be found by likeness."""
    verified: int = 0
    """Would-be hits by likeness that were answered afresh and compared, by all replicas."""
    wrong: int = 0
    """Of those, how many answers differed."""
    wrong_share: float = 0.0
    """Estimated share of wrong hits, with its 95 % interval."""
    wrong_low: float = 0.0
    wrong_high: float = 1.0
