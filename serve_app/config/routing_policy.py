"""Which models answer, in which order, and how hard a plan is tried."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from serve_app.config.section import Section

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
