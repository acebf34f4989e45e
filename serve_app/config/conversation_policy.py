"""Which conversations are kept, for how long, and how much of one a model is sent."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from serve_app.config.section import Section

Shortening = Literal["drop", "truncate", "summarise"]
"""What becomes of the middle of a conversation that is too long."""


class SummaryPolicy(Section):
    """With `shorten: summarise`: who sums up, and at what length."""

    model: str = Field(
        default="cheap",
        min_length=1,
        description="As a request's `model`; asked in the background.",
    )
    max_tokens: int = Field(default=512, ge=32, le=8192, description="Of one summary.")


class TenantConversations(Section):
    """What holds for one tenant; what is not set is as for all."""

    ttl_s: int | None = Field(default=None, gt=0)
    responses_ttl_s: int | None = Field(default=None, gt=0)


class ConversationPolicy(Section):
    ttl_s: int = Field(
        default=3600, gt=0, description="A conversation lives so long after its last use."
    )
    responses_ttl_s: int = Field(
        default=3600,
        gt=0,
        description="So does a stored response (OpenAI keeps one for 30 days: 2592000).",
    )
    tenants: dict[str, TenantConversations] = Field(
        default_factory=dict, description="By name, where a tenant has it otherwise."
    )
    max_turns: int = Field(
        default=10_000,
        gt=0,
        description="Turns kept of one conversation; the oldest are forgotten first.",
    )
    max_bytes: int = Field(
        default=4 << 20, ge=1 << 20, description="Bytes kept of it, as stored; likewise."
    )
    read_turns: int = Field(
        default=500, gt=0, description="So many of the latest turns a request reads, at most."
    )
    read_bytes: int = Field(
        default=1 << 20, ge=1 << 12, description="And so many bytes of them, as stored."
    )
    keep_turns: int = Field(
        default=3, gt=0, description="The latest turns that are sent in full, if they fit at all."
    )
    shorten: Shortening = Field(
        default="drop",
        description="What becomes of older turns where all is too long: left out, oldest first "
        "(`drop`); first their long messages cut, with a mark (`truncate`); or a summary of them "
        "sent instead, which is made in the background (`summarise`; until it is there: `drop`).",
    )
    truncate_chars: int = Field(
        default=800, ge=80, description="With `truncate`: what is left of a long message."
    )
    max_prompt_tokens: int | None = Field(
        default=None,
        gt=0,
        description="No longer prompt is sent, whatever the model's context is; null: any that "
        "fits.",
    )
    reply_tokens: int = Field(
        default=1024, gt=0, description="Room for the answer where a request names none."
    )
    on_conflict: Literal["retry", "reject"] = Field(
        default="retry",
        description="When two messages come to a conversation at once, the one that is answered "
        "later is asked anew, with the other in its history (a stream, whose answer is out "
        "already, goes after the other); or it is refused with 409 (`session_conflict`).",
    )
    summary: SummaryPolicy = SummaryPolicy()

    def life_s(self, tenant: str) -> int:
        """How long a tenant's conversations live after their last use, in seconds."""
        own = self.tenants.get(tenant)
        return (own.ttl_s if own is not None else None) or self.ttl_s

    def response_life_s(self, tenant: str) -> int:
        """How long a tenant's stored responses live after their last use, in seconds."""
        own = self.tenants.get(tenant)
        return (own.responses_ttl_s if own is not None else None) or self.responses_ttl_s

    @model_validator(mode="after")
    def _named(self) -> ConversationPolicy:
        if any(not name.strip() for name in self.tenants):
            raise ValueError("tenants: a name is empty")
        return self
