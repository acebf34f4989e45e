"""Prompt injection and jailbreak: signals are weighed, no single word condemns a text.

Looks at the folded text and at what is hidden in it (`hidden.py`). Where a text stands matters:
orders to an assistant weigh more in what tools bring, and all of it weighs less in what the model
said before. What is quoted or reported counts less (`mention.py`). Weak signals add up within two
neighbouring passages only: far apart in a long document they mean nothing. This is a first sieve,
not proof: a paraphrase passes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from serve_app.config.policy import Where
from serve_app.filters.hidden import Layer, layers
from serve_app.filters.mention import MENTIONED, MOST_MENTIONED, split_mentions
from serve_app.filters.normalize import fold
from serve_app.filters.phrasebook import Phrasebook, Rule
from serve_app.filters.sentences import passages, sentences
from serve_app.filters.signals import Language
from serve_app.filters.signals_en import ENGLISH
from serve_app.filters.signals_zh import CHINESE

_FACTORS: Mapping[Where, float] = {"history": 0.7, "output": 0.7, "system": 0.5}
"""The model's own words and the team's: both speak of rules without attacking them."""
_DATA = frozenset[Where](["tool_results", "tool_arguments"])

Weights = dict[str, float]


class Score(NamedTuple):
    total: float
    signals: tuple[str, ...]
    """Names of the signals that were found, heaviest first."""


_NOTHING = Score(0.0, ())


class Detector:
    """Scores texts by the signals of `languages`. Compiled once; holds nothing of what it saw."""

    def __init__(self, languages: Iterable[Language] = (ENGLISH, CHINESE)) -> None:
        self._book = Phrasebook(languages)
        self._book.rules("")  # builds the automaton's start now

    def score(self, text: str, folded: str, where: Where = "input") -> Score:
        """The score of the worst part of `text`, whose `fold` is `folded`.

        Args:
            where: what the text is in its request, or `output` for an answer.
        """
        worst = self._worst(folded, where, 0.0)
        for layer in layers(text, folded):
            inner = layer.text if layer.form == "folded" else fold(layer.text)
            found = self._worst(inner, where, _concealment(layer, where))
            worst = max(worst, found)
        return worst

    def _worst(self, folded: str, where: Where, bonus: float) -> Score:
        """The score of one layer; `bonus` is what it counts that it was hidden."""
        if "**" in folded:  # emphasis of Markdown, in the middle of sentences
            folded = folded.replace("**", "")
        factor = _FACTORS.get(where, 1.0)
        worst = _NOTHING
        before: Weights = {}
        for passage in passages(folded):
            found = self._weights(passage, where in _DATA)
            if found:
                worst = max(worst, _score(_both(before, found), bonus, factor))
            before = found
        return worst

    def _weights(self, passage: str, is_data: bool) -> Weights:
        """The signals of a passage: of its sentences, and of what it quotes."""
        rules = self._book.rules(passage)
        if not rules:
            return {}
        weights = self._of_sentences(passage, rules, is_data)
        if not weights:
            return weights
        said, quotes = split_mentions(passage)
        if quotes:
            weights = self._of_sentences(said, rules, is_data)
            self._add_quotes(weights, quotes, rules, is_data)
        return weights

    def _of_sentences(self, passage: str, rules: tuple[Rule, ...], is_data: bool) -> Weights:
        weights: Weights = {}
        for sentence in sentences(passage):
            if found := self._book.signals(sentence, rules, is_data):
                factor = MENTIONED if self._book.is_report(sentence) else 1.0
                _merge(weights, found, factor)
        return weights

    def _add_quotes(
        self, weights: Weights, quotes: Iterable[str], rules: tuple[Rule, ...], is_data: bool
    ) -> None:
        """Add what is in quotations; all of them together count only so much."""
        quoted: Weights = {}
        for quote in quotes:
            for sentence in sentences(quote):
                _merge(quoted, self._book.signals(sentence, rules, is_data), MENTIONED)
        total = sum(quoted.values())
        if total > 0:
            _merge(weights, quoted, min(1.0, MOST_MENTIONED / total))


def _merge(into: Weights, found: Mapping[str, float], factor: float) -> None:
    for name, weight in found.items():
        value = weight * factor
        if abs(value) > abs(into.get(name, 0.0)):
            into[name] = value


def _both(before: Weights, found: Weights) -> Weights:
    if not before:
        return found
    both = dict(before)
    _merge(both, found, 1.0)
    return both


def _score(weights: Weights, bonus: float, factor: float) -> Score:
    total = sum(weights.values())
    if total <= 0:
        return _NOTHING
    found = {**weights, "concealed": bonus} if bonus else weights
    names = sorted(found, key=lambda name: (-found[name], name))
    return Score(round((total + bonus) * factor, 3), tuple(names))


def _concealment(layer: Layer, where: Where) -> float:
    return layer.weight_in_data if where in _DATA else layer.weight
