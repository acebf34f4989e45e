"""Policy: what may change while requests run. The `user_config` of the gateway's deployments.

A bad policy is refused whole and the old one stays.
"""

from __future__ import annotations

import hashlib

from pydantic import Field, field_validator, model_validator

from serve_app.config.admission_policy import (
    AdmissionPolicy,
    BudgetPolicy,
    KeyPolicy,
    LimitPolicy,
    LimitRule,
    Money,
    Per,
    Without,
    WithoutRedis,
)
from serve_app.config.alerts_policy import (
    AlertChange,
    AlertChannel,
    AlertRule,
    AlertsPolicy,
    AlertWords,
)
from serve_app.config.batch_policy import BatchesPolicy, FilesPolicy
from serve_app.config.cache_policy import (
    CachePolicy,
    CacheRule,
    SemanticPolicy,
)
from serve_app.config.conversation_policy import ConversationPolicy
from serve_app.config.filter_policy import (
    Action,
    CallableRule,
    ClassifierRule,
    FilterPolicy,
    FilterRule,
    InjectionRule,
    LeakRule,
    PiiRule,
    RegexRule,
    Replacement,
    SecretsRule,
    Where,
    WordList,
    WordsRule,
)
from serve_app.config.log_policy import LogPolicy
from serve_app.config.metrics_policy import MetricsPolicy
from serve_app.config.records_policy import RecordsPolicy
from serve_app.config.routing_policy import (
    ExecutionPolicy,
    HedgePolicy,
    LearnedPolicy,
    RoutePolicy,
    RoutingPolicy,
    Strategy,
)
from serve_app.config.section import Section
from serve_app.config.tasks_policy import TasksPolicy, WebhookPolicy
from serve_app.config.tools_policy import ToolLimits, ToolsPolicy
from serve_app.config.tracing_policy import TracingPolicy
from serve_app.config.trails_policy import TrailsPolicy

__all__ = [
    "Action",
    "AdmissionPolicy",
    "AlertChange",
    "AlertChannel",
    "AlertRule",
    "AlertWords",
    "AlertsPolicy",
    "BatchesPolicy",
    "BudgetPolicy",
    "CachePolicy",
    "CacheRule",
    "CallableRule",
    "ClassifierRule",
    "ConversationPolicy",
    "ExecutionPolicy",
    "FilesPolicy",
    "FilterPolicy",
    "FilterRule",
    "HedgePolicy",
    "InjectionRule",
    "KeyPolicy",
    "LeakRule",
    "LearnedPolicy",
    "LimitPolicy",
    "LimitRule",
    "LogPolicy",
    "MetricsPolicy",
    "Money",
    "Per",
    "PiiRule",
    "Policy",
    "Price",
    "RecordsPolicy",
    "RegexRule",
    "Replacement",
    "RoutePolicy",
    "RoutingPolicy",
    "SecretsRule",
    "SemanticPolicy",
    "Strategy",
    "TasksPolicy",
    "ToolLimits",
    "ToolsPolicy",
    "TracingPolicy",
    "TrailsPolicy",
    "WebhookPolicy",
    "Where",
    "Without",
    "WithoutRedis",
    "WordList",
    "WordsRule",
]


class Price(Section):
    """Micro-USD per million tokens, so that a token's price is an integer division away."""

    input: int = Field(ge=0)
    output: int = Field(ge=0)
    cached_input: int | None = Field(default=None, ge=0)
    batch_percent: int = Field(
        default=100,
        ge=0,
        le=100,
        description="What work of batch priority costs, in percent of these prices.",
    )


class Policy(Section):
    """`user_config` of every deployment of the gateway (each reads its own part)."""

    version: str = Field(default="1", max_length=64, description="Part of the cache fingerprint.")
    routing: RoutingPolicy = RoutingPolicy()
    execution: ExecutionPolicy = ExecutionPolicy()
    filter: FilterPolicy = FilterPolicy()
    cache: CachePolicy = CachePolicy()
    admission: AdmissionPolicy = AdmissionPolicy()
    conversation: ConversationPolicy = ConversationPolicy()
    prices: dict[str, Price] = Field(
        default_factory=dict, description="By model name; wins over the shipped price list."
    )
    files: FilesPolicy = FilesPolicy()
    batches: BatchesPolicy = BatchesPolicy()
    tasks: TasksPolicy = TasksPolicy()
    tools: ToolsPolicy = ToolsPolicy()
    records: RecordsPolicy = RecordsPolicy()
    metrics: MetricsPolicy = MetricsPolicy()
    logs: LogPolicy = LogPolicy()
    tracing: TracingPolicy = TracingPolicy()
    trails: TrailsPolicy = TrailsPolicy()
    alerts: AlertsPolicy = AlertsPolicy()
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

    @property
    def keeps_content(self) -> bool:
        """Whether what was asked goes to the records; without a filter nothing would be redacted
        there, so then it does not."""
        return self.records.content and self.filter.enabled

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
