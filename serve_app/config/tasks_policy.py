"""How background tasks are tried, bounded and kept, and where their webhooks may go."""

from __future__ import annotations

from pydantic import Field, model_validator

from serve_app.config.section import Section


class WebhookPolicy(Section):
    """Signed messages to a URL of the caller's when a task ends (standardwebhooks.com)."""

    secret_env: list[str] = Field(
        default_factory=list,
        description="Environment variables with signing secrets (`whsec_` and base64). Messages "
        "are signed with each, so that receivers can change from one to the next; none: no "
        "webhooks.",
    )
    allow_http_loopback: bool = Field(
        default=False, description="Plain HTTP to this machine is allowed, for development."
    )
    allow_private: bool = Field(
        default=False,
        description="Addresses of private networks are allowed. Never those of cloud metadata.",
    )
    timeout_s: float = Field(default=10.0, gt=0, le=60, description="Of one message.")
    retries: int = Field(
        default=8, ge=0, le=50, description="After the first try, each later than the last."
    )


class TasksPolicy(Section):
    enabled: bool = Field(default=True, description="False: no new tasks are taken in.")
    retries: int = Field(
        default=3, ge=0, le=100, description="Tries after the first one; then a task is dead."
    )
    backoff_s: float = Field(
        default=1.0,
        ge=0,
        description="Before the first retry; doubled for each one after it. Up to half of it is "
        "left out, by chance.",
    )
    max_backoff_s: float = Field(default=60.0, ge=0, description="No pause is longer.")
    soft_limit_s: float = Field(default=60.0, gt=0, description="How long one try may take.")
    max_soft_limit_s: float = Field(
        default=3600.0, gt=0, description="The most a task may ask for."
    )
    result_ttl_s: float = Field(
        default=3600.0, gt=0, description="A task and its result are kept so long after its end."
    )
    dead_ttl_s: float = Field(
        default=7 * 86400.0, gt=0, description="So are dead ones, for somebody to look at."
    )
    max_dead: int = Field(default=10_000, gt=0, description="Dead ones kept; the oldest go first.")
    max_delay_s: float = Field(
        default=7 * 86400.0, gt=0, description="The latest start a task may ask for."
    )
    max_queued: int = Field(
        default=200_000, gt=0, description="Tasks that wait, of all tenants; beyond it 503."
    )
    max_queued_per_tenant: int = Field(
        default=150_000, gt=0, description="Of one tenant; beyond it 429."
    )
    max_bytes: int = Field(
        default=1 << 30,
        gt=0,
        description="Of requests and results that the queue holds in Redis; beyond it 503.",
    )
    max_payload_bytes: int = Field(default=8 << 20, gt=0, description="Of one task's request.")
    max_result_bytes: int = Field(default=8 << 20, gt=0, description="Of one task's result.")
    max_events: int = Field(
        default=2000, gt=0, description="Progress events kept of a task; the oldest go first."
    )
    webhooks: WebhookPolicy = WebhookPolicy()

    @model_validator(mode="after")
    def _within_bounds(self) -> TasksPolicy:
        if self.soft_limit_s > self.max_soft_limit_s:
            raise ValueError(
                f"soft_limit_s ({self.soft_limit_s}) must not be above max_soft_limit_s "
                f"({self.max_soft_limit_s})"
            )
        return self
