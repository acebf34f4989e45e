"""Policy: what may change while requests run. The `user_config` of the gateway's deployments.

A bad policy is refused whole and the old one stays.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from serve_app.config.structure import Section

Strategy = Literal["listed", "cheapest", "fastest", "best", "weighted"]
"""How models that are good enough are put in order: as configured, by expected cost, by expected
time, strongest tier first, or by a weighted split."""


class RoutePolicy(Section):
    """A name of its own for a choice of models."""

    models: list[str] = Field(min_length=1, description="Tiers or `backend/model`.")
    strategy: Strategy = "listed"
    weights: dict[str, float] = Field(
        default_factory=dict,
        description="With `weighted`: the share of each `backend/model`, in any unit. A "
        "conversation stays in its arm; which arm it was stands in the trail.",
    )
    fallback: bool = Field(
        default=True, description="False: only the first candidate is asked; if it fails, an error."
    )

    @model_validator(mode="after")
    def _weighed(self) -> RoutePolicy:
        if (self.strategy == "weighted") != bool(self.weights):
            raise ValueError("weights: needed with strategy 'weighted', and only there")
        if any(weight < 0 for weight in self.weights.values()):
            raise ValueError("weights: must not be negative")
        if self.weights and not sum(self.weights.values()):
            raise ValueError("weights: at least one must be above 0")
        return self


class LearnedPolicy(Section):
    """A router trained on examples (`serve-app router train`), in place of the scored rule."""

    file: str = Field(
        description="The trained model; a relative path is one in the data folder. Read again when "
        "it changes."
    )
    strong_share: float = Field(
        default=0.3,
        ge=0,
        le=1,
        description="Share of requests, of such as it was trained on, that go to the strong tier.",
    )


class RoutingPolicy(Section):
    """Tiers are lists of `backend/model`, tried in order."""

    cheap: list[str] = Field(default_factory=list)
    default: list[str] = Field(default_factory=list)
    strong: list[str] = Field(default_factory=list)
    local: list[str] = Field(default_factory=list)
    embedding: list[str] = Field(
        default_factory=list,
        description="Models for `auto` at /v1/embeddings; only backends with the same model step "
        "in for one another, because vectors of different models do not compare.",
    )
    strategy: Strategy = Field(
        default="listed", description="Order of the models of a tier (not `weighted`)."
    )
    local_use: Literal["fallback", "first", "only"] = Field(
        default="fallback",
        description="Local models: after the hosted ones, before them, or nothing else.",
    )
    sticky: bool = Field(
        default=True,
        description="A conversation (a tool loop above all) stays with the model that began it, "
        "as long as that one is well and good enough.",
    )
    routes: dict[str, RoutePolicy] = Field(default_factory=dict)
    learned: LearnedPolicy | None = None
    aliases: dict[str, str] = Field(
        default_factory=dict,
        description="Other names: of a tier (`cheap`, `default`, `strong`, `local`), of `auto`, "
        "of a route, or of one `backend/model`.",
    )
    short_tokens: int = Field(
        default=400, gt=0, description="Prompts up to so many tokens count as short."
    )
    strong_need: float = Field(
        default=0.55, ge=0, le=1, description="From this need of reasoning on: the strong tier."
    )
    cheap_need: float = Field(
        default=0.25, ge=0, le=1, description="Short and below this need: the cheap tier."
    )

    @model_validator(mode="after")
    def _no_weights_here(self) -> RoutingPolicy:
        if self.strategy == "weighted":
            raise ValueError("strategy: 'weighted' needs a route with weights (routing.routes)")
        return self


class HedgePolicy(Section):
    """A second candidate for calls whose first token is late. Costs money, so off by default."""

    enabled: bool = False
    quantile: float = Field(
        default=0.95, gt=0.5, lt=1, description="Of the backend's own times to first token."
    )
    min_samples: int = Field(default=20, gt=0, description="Below it nothing is known to be late.")
    max_share: float = Field(
        default=0.05, gt=0, le=1, description="Hedged requests, as a share of all."
    )


class ExecutionPolicy(Section):
    """How a plan is carried out."""

    retries: int = Field(default=1, ge=0, le=10, description="Further tries at one candidate.")
    max_attempts: int = Field(
        default=16,
        gt=0,
        le=50,
        description="At all candidates, in all. Retries never take the turn of a candidate that "
        "was not asked yet.",
    )
    retry_share: float = Field(
        default=0.2,
        ge=0,
        le=1,
        description="Retry budget: tries at the same candidate, as a share of requests; some a "
        "second are always allowed.",
    )
    max_pause_s: float = Field(
        default=5.0,
        ge=0,
        description="A provider that asks for a longer pause is left for the next candidate, and "
        "waited for only if no other is left and the deadline allows it.",
    )
    on_content_refusal: Literal["return", "next"] = Field(
        default="return",
        description="What a provider's content policy refused: back to the caller with the "
        "provider's reason, or on to the next candidate.",
    )
    recover: bool = Field(
        default=True, description="Go on with an answer that broke off in the middle of a stream."
    )
    max_recoveries: int = Field(default=2, ge=0, le=10, description="Of one answer.")
    hedge: HedgePolicy = HedgePolicy()


class WordList(Section):
    name: str
    words: list[str] = Field(default_factory=list)
    file: str | None = Field(
        default=None,
        description="One word a line; `words/en.txt` is a shipped list.",
    )
    action: Literal["block", "redact", "flag"] = "block"


class FilterPolicy(Section):
    enabled: bool = True
    max_input_chars: int | None = Field(
        default=None, gt=0, description="Longest text of one user message."
    )
    injection: Literal["block", "flag", "off"] = "block"
    injection_threshold: float = Field(default=1.0, gt=0, description="Score that counts.")
    words: list[WordList] = Field(default_factory=list)
    output_pii: Literal["redact", "flag", "off"] = "redact"


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


class KeyPolicy(Section):
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the key, in hex.")
    tenant: str = Field(
        min_length=1, max_length=64, pattern=r"^[^\x00-\x1f]+$", description="Whose key it is."
    )
    user: str = Field(default="", max_length=128, description="Empty: the key's digest prefix.")


class AdmissionPolicy(Section):
    require_key: bool = Field(
        default=True, description="False: anybody who reaches the port may ask."
    )
    keys: list[KeyPolicy] = Field(default_factory=list)
    key_file: str | None = Field(
        default=None, description="YAML list of keys like `keys`, read with the policy."
    )
    admin_keys: list[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]] = Field(
        default_factory=list,
        description="SHA-256, in hex, of the keys that may see and purge every tenant's cache. "
        "Without `require_key` and without any of them, everybody may.",
    )
    user_rpm: int = Field(default=100, ge=0, description="Requests a minute per user; 0: none.")
    key_rpm: int = Field(default=1000, ge=0, description="Requests a minute per key; 0: none.")
    without_redis: Literal["fail_open", "fail_closed"] = "fail_open"


class Price(Section):
    """Micro-USD per million tokens, so that a token's price is an integer division away."""

    input: int = Field(ge=0)
    output: int = Field(ge=0)
    cached_input: int | None = Field(default=None, ge=0)


class Policy(Section):
    """`user_config` of every deployment of the gateway (each reads its own part)."""

    version: str = Field(default="1", max_length=64, description="Part of the cache fingerprint.")
    routing: RoutingPolicy = RoutingPolicy()
    execution: ExecutionPolicy = ExecutionPolicy()
    filter: FilterPolicy = FilterPolicy()
    cache: CachePolicy = CachePolicy()
    admission: AdmissionPolicy = AdmissionPolicy()
    prices: dict[str, Price] = Field(
        default_factory=dict, description="By model name; wins over the shipped price list."
    )
    draining: bool = Field(
        default=False,
        description="True: readiness says 503 and new requests are refused while running ones "
        "finish. `serve-app down` sets it on every replica at once, then waits.",
    )
    busy_message: str | dict[str, str] | None = Field(
        default=None,
        description="Answer of /agent/chat when every backend failed; null: an error. A mapping "
        "has one by language (`en`, `zh`): the caller's Accept-Language decides, else the "
        "language of the message.",
    )

    def digest(self) -> str:
        """Names this policy: equal for equal ones. Readiness shows it, so that who changed a
        policy can see that it has arrived."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]

    def answer_scope(self) -> str:
        """Names what of this policy decides what an answer says: its version, the filter's rules
        and the routes. An answer kept under other rules is not served under these."""
        parts = [self.version, self.filter.model_dump_json(), self.routing.model_dump_json()]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    @field_validator("prices")
    @classmethod
    def _named(cls, value: dict[str, Price]) -> dict[str, Price]:
        if any(not name.strip() for name in value):
            raise ValueError("prices: a model name is empty")
        return value

    @model_validator(mode="after")
    def _ordered(self) -> Policy:
        if self.routing.cheap_need > self.routing.strong_need:
            raise ValueError(
                f"routing.cheap_need ({self.routing.cheap_need}) must not be above "
                f"routing.strong_need ({self.routing.strong_need})"
            )
        return self
