"""Which rules hold for a tenant and a path, and what is known of the texts they have passed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from serve_app.core.screening import Verdict
from serve_app.filters.asking import AskRule
from serve_app.filters.clean import CleanTexts
from serve_app.filters.leaking import LeakRule
from serve_app.filters.rules import ANSWERS
from serve_app.filters.works import SpanRule, TextRule

AnswerRule = SpanRule | LeakRule
Rule = AnswerRule | TextRule | AskRule


class Selection:
    """The rules of a policy that hold for some requests, in order.

    Args:
        base: digest of the whole policy. Requests for which other rules hold have another
            digest, as tenants may share answers and paths do.
    """

    def __init__(self, rules: Sequence[Rule], base: str) -> None:
        names = "\n".join([base, *(rule.head.name for rule in rules)])
        self.digest = hashlib.sha256(names.encode()).hexdigest()[:16] if base else ""
        self.input = [rule for rule in rules if rule.head.where - {"output"}]
        self.answers: dict[str, tuple[AnswerRule, ...]] = {
            place: tuple(
                rule
                for rule in rules
                if isinstance(rule, AnswerRule) and rule.is_of_answers and place in rule.head.where
            )
            for place in sorted(ANSWERS)
        }
        guards = tuple(place for place, found in self.answers.items() if found)
        self.allow = Verdict(rules=self.digest, guards=guards)
        """Nothing was found."""
        self.clean = CleanTexts() if _is_pure(rules) else None
        """None: a rule may judge the same text otherwise the next time."""
        self.leaks = [rule for rule in rules if isinstance(rule, LeakRule)]
        self.input_ns = sum(rule.cost_ns for rule in self.input)
        self.answer_ns = {
            place: sum(rule.cost_ns for rule in found) for place, found in self.answers.items()
        }


def _is_pure(rules: Sequence[Rule]) -> bool:
    """True if the same texts are judged the same each time."""
    return not any(
        isinstance(rule, AskRule) or (isinstance(rule, SpanRule) and rule.is_foreign)
        for rule in rules
    )
