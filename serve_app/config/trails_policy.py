"""Policy of trails: which are kept, and for how long."""

from __future__ import annotations

from pydantic import Field

from serve_app.config.section import Section


class TrailsPolicy(Section):
    """What each stage decided about a request, kept in Redis for `GET /v1/trails/{request_id}` and
    `serve-app explain`. Texts of callers and models are never in it."""

    enabled: bool = Field(default=True, description="False: no trails are kept.")
    keep_s: int = Field(default=3600, ge=60, le=86400, description="For so long.")
    per_second: int = Field(
        default=50,
        gt=0,
        le=10_000,
        description="At most so many, per process; failed and slow ones first. At 50, and about "
        "1 KB each, an hour of them takes 180 MB of Redis.",
    )
    slow_s: float = Field(default=5.0, gt=0, description="A request that took longer is slow.")
    max_bytes: int = Field(
        default=32 << 10,
        ge=2048,
        description="Of one trail, before compression; of a longer one the last notes are left "
        "out.",
    )
