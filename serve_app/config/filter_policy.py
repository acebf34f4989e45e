"""Rules about what goes in and what comes out."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from serve_app.config.section import Section


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
        pattern=r"^(app:[^/\s]+|moderation:[a-z0-9][a-z0-9-]*(/\S+)?)$",
        description="`app:NAME` is an application with a classifier "
        "(serve_app.deployments.classifier_app:build_classifier), `moderation:BACKEND` the "
        "endpoint /moderations of a hosted backend of kind `openai`; `moderation:BACKEND/MODEL` "
        "names its model, too.",
    )
    labels: list[str] = Field(
        default_factory=list,
        description="Labels or categories that count; empty: all but those that mean safe.",
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
