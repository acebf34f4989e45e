"""Policy: what may change while requests run. The `user_config` of the gateway's deployments.

A bad policy is refused whole and the old one stays.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from decimal import Decimal
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


Where = Literal["input", "system", "history", "tool_results", "tool_arguments", "output"]
"""Texts a rule looks at: of users, of system and developer messages, of earlier answers in the
request, of tools; arguments of tool calls (those asked for and those of the request); answers with
their reasoning."""

Action = Literal["block", "redact", "flag", "warn"]
"""`flag` notes it in the trail; `warn` tells the caller as well (header `x-serve-app-filter`)."""

_EVERYWHERE: list[Where] = [
    "input", "system", "history", "tool_results", "tool_arguments", "output",
]  # fmt: skip
_NAME = r"^[a-z0-9][a-z0-9-]{0,40}$"


class _Rule(Section):
    """What all rules have. They are applied in the order in which they are written."""

    name: str = Field(pattern=_NAME, description="In the trail, metrics and refusals.")
    where: list[Where] = Field(default=["input"], min_length=1)
    action: Action = "block"
    tenants: list[str] = Field(default_factory=list, description="Empty: all.")
    paths: list[str] = Field(
        default_factory=list, description="Such as `/v1/embeddings`; empty: all."
    )
    dry_run: bool = Field(
        default=False, description="True: found and noted as `would-block` and so on; no effect."
    )


Replacement = Literal["tag", "mask", "hash", "reversible"]


class _Replacing(_Rule):
    action: Action = "redact"
    replace: Replacement = Field(
        default="tag",
        description="What stands in its place: `[EMAIL]` (`tag`), stars that keep the length and "
        "the last four characters (`mask`), a keyed digest (`hash`), or `<EMAIL_1>`, which becomes "
        "the real value again in the answer (`reversible`; not for `output`).",
    )
    key_env: str = Field(
        default="SERVE_APP_FILTER_KEY",
        description="With `hash`: environment variable that holds the key.",
    )


class PiiRule(_Replacing):
    """Personal data."""

    kind: Literal["pii"]
    where: list[Where] = Field(default=["output"], min_length=1)
    kinds: list[str] = Field(
        default=["email", "phone", "cn_id", "card", "iban", "us_ssn", "passport", "wallet"],
        description="Any of `email`, `phone`, `cn_id`, `card`, `iban`, `us_ssn`, `passport`, "
        "`wallet`, `ip`, `mac`, `name`.",
    )
    ner: str | None = Field(
        default=None,
        description="For `name`: `module:function` that gives the ranges of names in a text.",
    )


class SecretsRule(_Replacing):
    """API keys, tokens, private keys, connection strings."""

    kind: Literal["secrets"]
    where: list[Where] = Field(default=_EVERYWHERE, min_length=1)


class WordsRule(_Replacing):
    """Words and phrases, whatever their spelling; a topic is a list of its words."""

    kind: Literal["words"]
    action: Action = "block"
    words: list[str] = Field(default_factory=list)
    file: str | None = Field(
        default=None, description="One word a line; `words/en.txt` is a shipped list."
    )
    mode: Literal["deny", "allow"] = Field(
        default="deny",
        description="`allow`: a text of users that has none of the words is what the rule acts on.",
    )
    leet: bool = Field(default=True, description="`b4d w0rd` is read as letters, too.")


class RegexRule(_Replacing):
    """A regular expression in RE2's syntax: no pattern takes more than linear time."""

    kind: Literal["regex"]
    pattern: str = Field(min_length=1, max_length=10_000)
    ignore_case: bool = False


class CallableRule(_Replacing):
    """A Python function: a text in, ranges out, as (start, end) in characters."""

    kind: Literal["callable"]
    function: str = Field(pattern=r"^[\w.]+:[\w.]+$", description="`package.module:function`.")
    longest: int = Field(
        default=200, gt=0, le=4096, description="Of a range: so much of a stream is held back."
    )
    timeout_s: float = Field(default=1.0, gt=0, le=30)


class InjectionRule(_Rule):
    """Attempts to override the instructions of the model, by signals that are weighed."""

    kind: Literal["injection"]
    where: list[Where] = Field(default=["input", "tool_results", "history"], min_length=1)
    threshold: float = Field(default=1.0, gt=0, description="Score that counts.")


class LeakRule(_Replacing):
    """The system prompt in an answer: a canary that was put into it, or long parts of its text."""

    kind: Literal["leak"]
    where: list[Where] = Field(default=["output", "tool_arguments"], min_length=1)
    action: Action = "block"
    canary: bool = Field(
        default=True, description="Add a secret word to the system prompt and look for it."
    )
    overlap_words: int = Field(
        default=20, ge=5, description="So many words in a row of the system prompt are a leak."
    )


class ClassifierRule(_Rule):
    """A model that classifies texts: a deployment of its own, or a hosted moderation endpoint."""

    kind: Literal["classifier"]
    where: list[Where] = Field(default=["input", "tool_results"], min_length=1)
    source: str = Field(
        description="`app:NAME` is an application with a classifier (serve_app.graph:"
        "build_classifier), `moderation:BACKEND` the endpoint /moderations of a hosted backend."
    )
    labels: list[str] = Field(
        default_factory=list, description="Labels or categories that count; empty: all but safe."
    )
    threshold: float = Field(default=0.5, gt=0, le=1)
    timeout_s: float = Field(default=2.0, gt=0, le=30)
    if_away: Literal["pass", "block"] = Field(
        default="pass", description="When it does not answer in time."
    )


FilterRule = Annotated[
    PiiRule
    | SecretsRule
    | WordsRule
    | RegexRule
    | CallableRule
    | InjectionRule
    | LeakRule
    | ClassifierRule,
    Field(discriminator="kind"),
]


class FilterPolicy(Section):
    enabled: bool = True
    dry_run: bool = Field(default=False, description="True: no rule has an effect; all are noted.")
    max_input_chars: int | None = Field(
        default=None, gt=0, description="Longest text of one user message."
    )
    injection: Literal["block", "flag", "off"] = Field(
        default="block", description="Short for a rule of kind `injection` of that name."
    )
    injection_threshold: float = Field(default=1.0, gt=0, description="Score that counts.")
    words: list[WordList] = Field(
        default_factory=list,
        description="Short for rules of kind `words`, named `words:NAME`, on what users and tools "
        "say.",
    )
    output_pii: Literal["redact", "flag", "off"] = Field(
        default="redact", description="Short for a rule of kind `pii` on answers, with all kinds."
    )
    rules: list[FilterRule] = Field(
        default_factory=list, description="After those that the short forms stand for, in order."
    )

    @property
    def keeps_names(self) -> bool:
        """True if a rule redacts reversibly, so that a conversation has placeholders."""
        return self.enabled and any(
            isinstance(rule, _Replacing) and rule.replace == "reversible" for rule in self.rules
        )

    @field_validator("rules")
    @classmethod
    def _unique(cls, value: list[FilterRule]) -> list[FilterRule]:
        names = [rule.name for rule in value]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"rules: names must be unique, got twice: {', '.join(twice)}")
        return value


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
