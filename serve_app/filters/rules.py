"""The rules of a policy as one ordered list: what each looks at, and what it then does.

Short forms come first (`injection`, `words`, `output_pii`), then `rules` as they are written.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from msgspec import Struct

from serve_app.config.policy import (
    Action,
    FilterPolicy,
    FilterRule,
    InjectionRule,
    PiiRule,
    Where,
    WordList,
    WordsRule,
)
from serve_app.core.errors import PolicyRejected

FROM_OUTSIDE: list[Where] = ["input", "tool_results"]
"""What the team itself did not write."""
ANSWERS: frozenset[Where] = frozenset({"output", "tool_arguments"})
"""Places of an answer."""


FAILED = "failed"
"""Stands for a kind in what is noted of a rule that could not judge a text."""


class Head(Struct, frozen=True):
    """What all rules have."""

    name: str
    action: Action
    is_dry: bool
    where: frozenset[Where]
    tenants: frozenset[str]
    paths: frozenset[str]
    names_kinds: bool = False
    """True: findings say what was found, as `pii:email`."""

    @property
    def noted(self) -> str:
        """The action as findings tell it."""
        return f"would-{self.action}" if self.is_dry else self.action

    @property
    def blocks(self) -> bool:
        return self.action == "block" and not self.is_dry

    @property
    def redacts(self) -> bool:
        return self.action == "redact" and not self.is_dry

    @property
    def warns(self) -> bool:
        return self.action == "warn" and not self.is_dry

    @property
    def closes(self) -> bool:
        """True if a text that the rule cannot judge does not pass: who blocks or redacts must not
        let through what nobody has looked at."""
        return self.action in ("block", "redact") and not self.is_dry

    def finding(self, kind: str) -> str:
        return f"{self.name}:{kind}" if self.names_kinds or kind == FAILED else self.name

    def holds_for(self, tenant: str, path: str) -> bool:
        return (not self.tenants or tenant in self.tenants) and (
            not self.paths or path in self.paths
        )


class Written(NamedTuple):
    """A rule as the policy has it, with its place there for error messages."""

    place: str
    rule: FilterRule


def written(policy: FilterPolicy) -> list[Written]:
    """Every rule of a policy, in the order in which they are applied.

    Raises:
        PolicyRejected: two have one name.
    """
    if not policy.enabled:
        return []
    rules = [*_short_forms(policy)]
    short = {one.rule.name: one.place for one in rules}
    for at, rule in enumerate(policy.rules):
        if (taken := short.get(rule.name)) is not None:
            raise PolicyRejected(
                f"filter.rules[{at}].name: {rule.name!r} is the name of {taken}; switch that off "
                "or choose another name"
            )
        rules.append(Written(f"filter.rules[{rule.name!r}]", rule))
    return rules


def head(rule: FilterRule, policy: FilterPolicy) -> Head:
    return Head(
        name=rule.name,
        action=rule.action,
        is_dry=rule.dry_run or policy.dry_run,
        where=frozenset(rule.where),
        tenants=frozenset(rule.tenants),
        paths=frozenset(rule.paths),
        names_kinds=rule.kind in ("pii", "secrets", "injection", "classifier", "leak"),
    )


def length_head(policy: FilterPolicy) -> Head:
    """Of the rule that `max_input_chars` stands for, which comes before all others."""
    return Head(
        name="input_length",
        action="block",
        is_dry=policy.dry_run,
        where=frozenset({"input"}),
        tenants=frozenset(),
        paths=frozenset(),
    )


def _short_forms(policy: FilterPolicy) -> Iterator[Written]:
    if policy.injection != "off":
        injection = InjectionRule(
            name="injection",
            kind="injection",
            where=FROM_OUTSIDE,
            action=policy.injection,
            threshold=policy.injection_threshold,
        )
        yield Written("filter.injection", injection)
    _check_names(policy.words)
    for words in policy.words:
        yield Written(f"filter.words[{words.name!r}]", _words_rule(words))
    if policy.output_pii != "off":
        yield Written(
            "filter.output_pii", PiiRule(name="pii", kind="pii", action=policy.output_pii)
        )


def _words_rule(words: WordList) -> WordsRule:
    # Lists have names that a rule's may not have; they were not checked when they came.
    rule = WordsRule(
        name="words",
        kind="words",
        where=FROM_OUTSIDE,
        action=words.action,
        words=words.words,
        file=words.file,
    )
    return rule.model_copy(update={"name": f"words:{words.name}"})


def _check_names(lists: list[WordList]) -> None:
    names = [words.name for words in lists]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise PolicyRejected(f"filter.words: names must be unique, got twice: {', '.join(twice)}")
