"""Which signals a text gives: the cues of all languages, each tried only where it may hold.

RE2 finds out for every cue which words a text must have, and one pass over a passage says which
cues are possible (`re2.Filter`). Few passages have all that a signal needs, so few patterns are
ever run. One automaton of all patterns took 50 times as long: gaps multiply its states.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import re2

from serve_app.filters.engine import options, tester
from serve_app.filters.signals import Language, Signal

_MOST_KNOWN = 4096
"""Combinations of possible cues that are remembered with their signals."""
_FEW = 4
"""So many signals are tried without asking first which are possible."""


class Rule(NamedTuple):
    needs: int
    """Bits of the cues."""
    order: tuple[int, ...]
    """The numbers of the cues, those with words first."""
    name: str
    weight: float
    in_data: float


class Phrasebook:
    """The signals of some languages, compiled."""

    def __init__(self, languages: Iterable[Language]) -> None:
        self._cues: list[re2.Set] = []
        self._filter = re2.Filter()
        self._filtered: list[int] = []
        self._always = 0
        self._rules: list[Rule] = []
        self._reports: list[Rule] = []
        for language in languages:
            numbers = {name: self._add(cue) for name, cue in language.cues.items()}
            self._rules += (self._rule(signal, numbers) for signal in language.signals)
            reports = (Signal("report", 0.0, cues) for cues in language.reports)
            self._reports += (self._rule(signal, numbers) for signal in reports)
        self._filter.Compile()
        self._known: dict[int, tuple[Rule, ...]] = {}

    def rules(self, passage: str) -> tuple[Rule, ...]:
        """The signals that some sentence of a passage of folded text may give; mostly none."""
        possible = self._possible(passage)
        rules = self._known.get(possible)
        if rules is None:
            rules = self._rules_of(possible)
        if not rules:
            return rules
        tried: dict[int, bool] = {}
        return tuple(rule for rule in rules if self._holds(rule, passage, tried))

    def signals(self, sentence: str, rules: tuple[Rule, ...], is_data: bool) -> Mapping[str, float]:
        """Names and weights of those signals of `rules` that a sentence gives."""
        possible = self._possible(sentence) if len(rules) > _FEW else -1
        tried: dict[int, bool] = {}
        found: dict[str, float] = {}
        for rule in rules:
            if rule.needs & possible != rule.needs:
                continue
            weight = rule.in_data if is_data else rule.weight
            if abs(weight) > abs(found.get(rule.name, 0.0)) and self._holds(rule, sentence, tried):
                found[rule.name] = weight
        return found

    def is_report(self, sentence: str) -> bool:
        """True if the sentence tells of attacks."""
        return any(self._holds(rule, sentence, {}) for rule in self._reports)

    def _holds(self, rule: Rule, text: str, tried: dict[int, bool]) -> bool:
        for number in rule.order:
            holds = tried.get(number)
            if holds is None:
                holds = tried[number] = self._cues[number].Match(text) is not None
            if not holds:
                return False
        return True

    def _possible(self, text: str) -> int:
        """Bits of the cues that a text may have."""
        possible = self._always
        for number in self._filter.Match(text, potential=True) or ():
            possible |= self._filtered[number]
        return possible

    def _rules_of(self, cues: int) -> tuple[Rule, ...]:
        rules = tuple(rule for rule in self._rules if rule.needs & cues == rule.needs)
        if len(self._known) < _MOST_KNOWN:
            self._known[cues] = rules
        return rules

    def _add(self, cue: str) -> int:
        """The number of a cue. One without words of its own is tried where the others hold."""
        number = len(self._cues)
        self._cues.append(tester(cue))
        if _has_words(cue):
            self._filter.Add(cue, options())
            self._filtered.append(1 << number)
        else:
            self._always |= 1 << number
        return number

    def _rule(self, signal: Signal, numbers: Mapping[str, int]) -> Rule:
        cues = [numbers[cue] for cue in signal.cues]
        order = sorted(cues, key=lambda number: self._always >> number & 1)
        if self._always >> order[0] & 1:
            raise ValueError(f"signal {signal.name!r}: no cue has a word of three letters to find")
        in_data = signal.weight if signal.in_data is None else signal.in_data
        needs = sum(1 << number for number in cues)
        return Rule(needs, tuple(order), signal.name, signal.weight, in_data)


def _has_words(cue: str) -> bool:
    """True if RE2 finds words in the pattern of which a text must have one."""
    probe = re2.Filter()
    probe.Add(cue, options())
    probe.Compile()
    return not probe.Match("", potential=True)
