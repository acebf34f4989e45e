"""Who may ask, how much, and what happens to that while Redis is away."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, field_validator

from serve_app.config.section import Section

Money = Annotated[Decimal, Field(ge=0, max_digits=15, decimal_places=6)]
"""USD."""

_Count = Annotated[int, Field(gt=0, le=100_000_000)]


class BudgetPolicy(Section):
    """Money that may be spent, in USD; periods are those of UTC, weeks begin on Monday."""

    day: Money | None = None
    week: Money | None = None
    month: Money | None = None
    total: Money | None = Field(default=None, description="In all, for ever.")
    soft: float = Field(
        default=0.8, gt=0, le=1, description="From this share on the budget is nearly spent."
    )
    at_soft: Literal["alert", "cheaper"] = Field(
        default="alert",
        description="`cheaper`: requests for `auto` or a tier then go to the cheap tier.",
    )


class LimitPolicy(Section):
    """How much may be used. What is not set is not limited."""

    requests_per_minute: _Count | None = Field(
        default=None, description="A bucket: as many may come at once after a quiet minute."
    )
    input_tokens_per_minute: _Count | None = None
    output_tokens_per_minute: _Count | None = None
    tokens_per_minute: _Count | None = None
    parallel: _Count | None = Field(default=None, description="Requests under way at once.")
    tokens_per_request: _Count | None = Field(
        default=None, description="Prompt and the longest answer that is asked for."
    )
    budget: BudgetPolicy | None = None


Per = Literal["key", "user", "team", "tenant", "model"]


class LimitRule(LimitPolicy):
    """Limits of everybody of a kind. Where several rules hold for the same scope, the first that
    says something about a limit counts; what a key's own limits say goes before."""

    per: list[Per] = Field(
        description="Whose use is counted together: `[user]` each user's, `[tenant, model]` each "
        "tenant's of each model, `[]` all together (that, and `[model]`, need `args.ledger.slot: "
        "one`). Users, keys and teams are always those of one tenant."
    )
    tenants: list[str] = Field(default_factory=list, description="Empty: all.")
    models: list[str] = Field(
        default_factory=list,
        description="As requested (aliases are resolved); `gpt-*` is a beginning. Empty: all.",
    )


Without = Literal["fail_open", "fail_closed", "local_share"]


class WithoutRedis(Section):
    """What each function does while Redis is away."""

    limits: Without = Field(
        default="fail_open",
        description="`local_share`: each replica allows its part, the limit divided by the "
        "replicas that are alive.",
    )
    budgets: Without = Field(
        default="fail_open",
        description="`local_share`: of what was left when Redis was last heard.",
    )
    keys: Literal["known", "fail_closed"] = Field(
        default="known",
        description="Keys made by `serve-app keys`: those already known stay valid, or none is "
        "after `keys_for_s` without news.",
    )
    keys_for_s: float = Field(default=60.0, gt=0)


class KeyPolicy(Section):
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the key, in hex.")
    tenant: str = Field(
        min_length=1, max_length=64, pattern=r"^[^\x00-\x1f]+$", description="Whose key it is."
    )
    user: str = Field(default="", max_length=128, description="Empty: the key's digest prefix.")
    team: str = Field(default="", max_length=64)
    models: list[Annotated[str, Field(min_length=1, max_length=128)]] = Field(
        default_factory=list,
        description="`MODEL` or `BACKEND/MODEL` it may ask for (aliases are resolved, case does "
        "not matter); `gpt-*` is a beginning. Empty: all.",
    )
    paths: list[Annotated[str, Field(pattern=r"^/", max_length=128)]] = Field(
        default_factory=list,
        description="Routes it may use, like `/v1/chat/completions` or `/v1/*`. Empty: all.",
    )
    limits: LimitPolicy | None = Field(default=None, description="Its own limits and budget.")
    priority: Literal["interactive", "batch"] = "interactive"
    expires: datetime | None = Field(
        default=None,
        description="From when on it is refused: `2026-12-31`, `2026-12-31T18:00:00Z` (without a "
        "zone: UTC) or Unix seconds.",
    )


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
        description="SHA-256, in hex, of the keys that manage the gateway: API keys, every "
        "tenant's cache. They are no API keys. Without `require_key` and without any of them, "
        "everybody may.",
    )
    user_rpm: int = Field(default=100, ge=0, description="Requests a minute per user; 0: none.")
    key_rpm: int = Field(default=1000, ge=0, description="Requests a minute per key; 0: none.")
    limits: list[LimitRule] = Field(
        default_factory=list,
        description="Before `user_rpm` and `key_rpm`; these hold without a key, too.",
    )
    reserve_margin: float = Field(
        default=1.25,
        ge=1,
        le=10,
        description="A request reserves its estimated prompt times this; what it did not use is "
        "given back at its end.",
    )
    answer_tokens: int = Field(
        default=1024,
        gt=0,
        description="Reserved for an answer where the request sets no maximum.",
    )
    without_redis: WithoutRedis = Field(
        default=WithoutRedis(), description="One word stands for limits and budgets both."
    )
    anyone_may_ask: bool = Field(
        default=False,
        description="True: a listener that others can reach may go without keys.",
    )

    @field_validator("without_redis", mode="before")
    @classmethod
    def _for_both(cls, value: object) -> object:
        return {"limits": value, "budgets": value} if isinstance(value, str) else value
