"""Which answers are kept, for how long, and for whom."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from serve_app.config.section import Section


class SemanticPolicy(Section):
    """Answers to questions that mean the same."""

    enabled: bool = False
    ttl_s: int = Field(default=43200, gt=0, description="12 hours.")
    decide: Literal["verified", "threshold"] = Field(
        default="verified",
        description="`verified`: guards, a judged pair and a bound that is learned; `threshold`: "
        "guards and `similarity` alone.",
    )
    similarity: float = Field(
        default=0.95, gt=0, le=1, description="With `threshold`: least cosine of the questions."
    )
    max_wrong: float = Field(
        default=0.01,
        gt=0,
        lt=0.5,
        description="With `verified`: largest acceptable share of wrong hits.",
    )
    verify_share: float = Field(
        default=0.02,
        ge=0,
        le=1,
        description="So many of the would-be hits are answered afresh and compared, at least.",
    )
    max_chars: int = Field(default=600, gt=0, description="Longer questions are not looked at.")


class CacheRule(Section):
    """What holds for some requests. Empty lists match all; what is not set is as in `cache`."""

    tenants: list[str] = Field(default_factory=list)
    models: list[str] = Field(
        default_factory=list,
        description="Names as requested: of a model, a tier, a route or an alias; `gpt-*` is a "
        "beginning.",
    )
    paths: list[str] = Field(default_factory=list, description="Such as `/v1/embeddings`.")
    enabled: bool | None = None
    ttl_s: int | None = Field(default=None, gt=0)
    result_ttl_s: int | None = Field(default=None, gt=0)
    stale_s: int | None = Field(default=None, ge=0)
    semantic: bool | None = None
    semantic_ttl_s: int | None = Field(default=None, gt=0)
    shared: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9][a-z0-9-]{0,40}$",
        description="Name of a scope: the tenants that this rule matches share their answers.",
    )


class CachePolicy(Section):
    enabled: bool = True
    ttl_s: int = Field(default=86400, gt=0, description="Exact answers, temperature 0 or absent.")
    result_ttl_s: int = Field(
        default=3600, gt=0, description="Answers to requests with temperature above 0 or tools."
    )
    stale_s: int = Field(
        default=0,
        ge=0,
        description="So long after its end an answer is still served while a new one is made.",
    )
    single_flight: bool = Field(
        default=True, description="Equal requests under way share one call, over all replicas."
    )
    semantic: SemanticPolicy = SemanticPolicy()
    rules: list[CacheRule] = Field(
        default_factory=list, description="The first one that matches a request holds."
    )
