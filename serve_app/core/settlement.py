"""What a request, or a part of one, came to: what the books and the usage records are made from."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Status = Literal["ok", "failed", "left"]


class Settlement(Struct, frozen=True, gc=False):
    """What one request came to. Money in micro-USD."""

    tenant: str
    user: str
    model: str
    backend: str
    prompt_tokens: int
    completion_tokens: int
    cost_micro_usd: int
    cache_level: str = "none"
    saved_micro_usd: int = 0
    """What the answer cost when it was made, if the cache served it now."""
    status: Status = "ok"
    """`ok`, `failed` (the answer broke off) or `left` (the caller did)."""
    requests: int = 1
    """0 for a part of a request that another settlement counts: an attempt that broke off."""
    key_id: str = ""
    team: str = ""
    route: str = ""
    """Path of the request."""
    request_id: str = ""
    once: str = ""
    """See `Ask.once`: of all with this name the dearest counts, and that once."""
    is_batch: bool = False
    cached_tokens: int = 0
    """Of the prompt, those that the provider had in its cache."""
    tier: str = ""
    """The routing tier that was planned; empty: the caller named the model, or none was."""
