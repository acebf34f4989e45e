"""Of what the service warns, whom, in which words and how often."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from serve_app.config.section import Section

Severity = Literal["critical", "warning", "info"]
Language = Literal["en", "zh"]
Unit = Literal["number", "share", "seconds"]

_NAME = r"^[A-Za-z][A-Za-z0-9_-]{0,63}$"
_VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"


class AlertWords(Section):
    """`{value}` is what the expression came to, `{threshold}` the rule's, and any label of the
    result has its value: `{backend}`."""

    en: str = Field(min_length=1, max_length=500)
    zh: str = Field(default="", max_length=500, description="Empty: the English ones.")


class AlertRule(Section):
    """Something to warn of."""

    name: str = Field(pattern=_NAME)
    expr: str = Field(
        min_length=1,
        description="PromQL over the metrics of /metrics; each series it comes to is an alert. "
        "`$threshold` stands for the threshold. docs/alerts.md says which part of PromQL it is.",
    )
    threshold: float | None = Field(default=None, description="What `$threshold` stands for.")
    for_s: float = Field(
        default=0.0, ge=0, le=86400, description="It holds for so long before anybody is told."
    )
    keep_s: float = Field(
        default=0.0,
        ge=0,
        le=86400,
        description="It has to be over for so long before it counts as over: else a figure about "
        "its threshold tells of itself again and again.",
    )
    severity: Severity = "warning"
    summary: AlertWords
    unit: Unit = Field(default="number", description="How `{value}` is written.")
    runbook: str = Field(
        default="", max_length=500, description="Where it says what to do; after `runbooks`."
    )
    group_by: list[str] = Field(
        default_factory=list,
        description="Labels: alerts of the rule that have them alike share a message. None: all.",
    )
    repeat_s: float = Field(
        default=4 * 3600.0, ge=60, description="Told again so often while it holds."
    )
    channels: list[str] = Field(
        default_factory=list,
        description="Names of channels; none: those that take its severity.",
    )


class AlertChange(Section):
    """What is different about a shipped rule."""

    enabled: bool = True
    threshold: float | None = None
    for_s: float | None = Field(default=None, ge=0, le=86400)
    keep_s: float | None = Field(default=None, ge=0, le=86400)
    severity: Severity | None = None
    repeat_s: float | None = Field(default=None, ge=60)
    channels: list[str] | None = None


class AlertChannel(Section):
    """Somebody to tell. Its address is a secret, so it is never in the configuration itself."""

    name: str = Field(pattern=_NAME)
    kind: Literal["apprise", "dingtalk", "wecom", "feishu", "webhook"] = Field(
        description="`apprise`: any address of Apprise, such as e-mail, Slack or PagerDuty (needs "
        "the extra `alerts`); `dingtalk`, `wecom` and `feishu` (Lark, too): the address of a "
        "group's robot; `webhook`: JSON by POST."
    )
    url_env: str = Field(
        default="", pattern=rf"{_VARIABLE}|^$", description="Environment variable with the address."
    )
    url_file: str = Field(default="", description="File with it, read for each message.")
    secret_env: str = Field(
        default="",
        pattern=rf"{_VARIABLE}|^$",
        description="Environment variable with what messages are signed with: the robot's secret "
        "(`dingtalk`, `feishu`), or `whsec_` and base64 (`webhook`, standardwebhooks.com).",
    )
    secret_file: str = Field(default="", description="File with it.")
    severities: list[Severity] = Field(
        default=["critical", "warning"], min_length=1, description="Those that it takes."
    )
    language: Language | None = Field(default=None, description="Null: that of all.")
    timeout_s: float = Field(default=10.0, gt=0, le=60, description="Of one try.")

    @model_validator(mode="after")
    def _has_one_address(self) -> AlertChannel:
        if bool(self.url_env) == bool(self.url_file):
            raise ValueError("a channel needs one of url_env and url_file")
        if self.secret_env and self.secret_file:
            raise ValueError("a channel has one of secret_env and secret_file")
        if (self.secret_env or self.secret_file) and self.kind in ("apprise", "wecom"):
            raise ValueError(f"a channel of kind {self.kind} signs nothing")
        return self


class AlertsPolicy(Section):
    enabled: bool = Field(default=True, description="False: nothing is watched, nobody told.")
    shipped: bool = Field(default=True, description="The shipped rules (alerts.yaml) hold.")
    changes: dict[str, AlertChange] = Field(
        default_factory=dict, description="By name of a shipped rule."
    )
    rules: list[AlertRule] = Field(
        default_factory=list, description="One's own; in place of shipped ones of their name."
    )
    channels: list[AlertChannel] = Field(
        default_factory=list, description="None: alerts are only shown."
    )
    language: Language = Field(default="en", description="Of messages.")
    service: str = Field(
        default="serve-app", min_length=1, max_length=64, description="Named in each message."
    )
    runbooks: str = Field(
        default="docs/runbooks/",
        description="What `runbook` of a rule is appended to, such as https://wiki.example/alerts/",
    )
    interval_s: float = Field(default=5.0, ge=0.2, le=300, description="Between two evaluations.")
    group_wait_s: float = Field(
        default=5.0, ge=0, le=600, description="How long a first message waits for alerts alike."
    )
    group_interval_s: float = Field(
        default=30.0, ge=0, le=3600, description="Between a message and the next about its group."
    )
    retry_s: float = Field(
        default=1.0, gt=0, le=60, description="Before a message is tried again; doubled each time."
    )
    max_retry_s: float = Field(default=60.0, gt=0, le=3600, description="No pause is longer.")
    give_up_s: float = Field(
        default=3600.0, gt=0, le=86400, description="An older message is not sent any more."
    )
    max_waiting: int = Field(
        default=50, gt=0, le=1000, description="Messages that wait for a channel; the oldest go."
    )

    @field_validator("rules", "channels")
    @classmethod
    def _named_once(
        cls, value: list[AlertRule] | list[AlertChannel]
    ) -> list[AlertRule] | list[AlertChannel]:
        names = [one.name for one in value]
        double = sorted({name for name in names if names.count(name) > 1})
        if double:
            raise ValueError(f"names must be unique, got twice: {', '.join(double)}")
        return value

    @model_validator(mode="after")
    def _channels_exist(self) -> AlertsPolicy:
        known = {channel.name for channel in self.channels}
        asked = {name for rule in self.rules for name in rule.channels}
        asked |= {name for change in self.changes.values() for name in change.channels or ()}
        if asked - known:
            raise ValueError(f"there is no channel {', '.join(sorted(asked - known))}")
        return self
