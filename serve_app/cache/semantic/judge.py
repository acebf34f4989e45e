"""Whether the answer to one question serves another: read both, forbid, else weigh.

No model is asked. The weights were learned from pairs of questions written for it (see
`training.py`); every one of them can only count one way, so that nothing a question adds or lacks
can speak for it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from serve_app.cache.semantic import lexicon as lexicons
from serve_app.cache.semantic import vocabulary as vocabularies
from serve_app.cache.semantic.alignment import Alignment, align, put_right
from serve_app.cache.semantic.base import Sample
from serve_app.cache.semantic.features import features
from serve_app.cache.semantic.guards import forbidden
from serve_app.cache.semantic.lexicon import Lexicon
from serve_app.cache.semantic.reading import Reading, read
from serve_app.cache.semantic.vocabulary import Vocabulary
from serve_app.cache.semantic.words import Word, has_han, stem, words_of

WEIGHTS: Final = Path(__file__).resolve().parent / "judge.json"

_KNOWN_SHARE: Final = 0.6
"""English has so many words of its vocabulary; a text with fewer is in another language."""

_REMEMBERED: Final = 20_000
"""Questions whose reading is kept: some kilobytes each."""

_SAME_ANSWER: Final = 0.85
"""Cosine from which two answers in other words say the same."""


class Opinion(NamedTuple):
    """Of a pair of questions."""

    score: float
    """Estimated probability that one answer serves both."""
    why: str
    """Which guard forbids it; empty: none does."""


class Weights:
    """A logistic curve over `features.NAMES`, and what its value has been worth.

    Args:
        file: JSON with `mean`, `scale`, `weights`, `bias`, and the points of a curve `value`,
            `score` from the logistic value to the share of right hits at it and above.
    """

    def __init__(self, file: Path) -> None:
        stored = json.loads(file.read_text(encoding="utf-8"))
        scale = np.array(stored["scale"])
        self._weights = np.array(stored["weights"]) / scale
        self._bias = stored["bias"] - float(np.array(stored["mean"]) @ self._weights)
        self._curves = {
            language: (np.array(curve["value"]), np.array(curve["score"]))
            for language, curve in stored["curves"].items()
        }

    def value(self, seen: np.ndarray) -> float:
        return 1.0 / (1.0 + math.exp(-float(seen @ self._weights) - self._bias))

    def score(self, seen: np.ndarray, language: str) -> float:
        values, scores = self._curves[language]
        return float(np.interp(self.value(seen), values, scores))


class PairJudge:
    """A `Judge` for English and Chinese; of other languages it accepts the same words only."""

    def __init__(self, weights: Path = WEIGHTS) -> None:
        self._file = weights
        self._readings: dict[tuple[int, str], Reading] = {}

    def score(self, asked: Sample, stored: Sample, cosine: float) -> float:
        """See `Judge.score`."""
        return self.opinion(asked.text, stored.text, cosine).score

    def opinion(self, asked: str, stored: str, cosine: float) -> Opinion:
        """What speaks for or against serving the answer to `stored`."""
        one, other = _words(asked), _words(stored)
        if has_han(asked) != has_han(stored):
            return Opinion(0.0, "language")
        language = self._language(asked, (*one, *other))
        lexicon = self.lexicon(language)
        a, b, found = self.paired(asked, stored, one, other, lexicon)
        if why := forbidden(a, b, found, lexicon):
            return Opinion(0.0, why)
        if language == "other" and (found.left_one or found.left_other):
            return Opinion(0.0, "other words")
        if language == "zh":
            cosine = 0.0  # the embedder cannot tell there
        seen = features(a, b, found, cosine, self.vocabulary)
        return Opinion(self.weights.score(seen, language), "")

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """How common words are; read when it is first needed, like the rest."""
        return vocabularies.load()

    @cached_property
    def _lexicons(self) -> dict[str, Lexicon]:
        return {name: lexicons.load(name, stem) for name in ("en", "zh")}

    @cached_property
    def weights(self) -> Weights:
        """What was learned."""
        return Weights(self._file)

    def paired(
        self,
        asked: str,
        stored: str,
        one: Sequence[Word],
        other: Sequence[Word],
        lexicon: Lexicon,
    ) -> tuple[Reading, Reading, Alignment]:
        """Both questions read, the misspellings of each put right by the other, and their words
        paired."""
        vocabulary = self.vocabulary
        a = self._read(asked, lexicon, one, put_right(one, other, vocabulary))
        b = self._read(stored, lexicon, other, put_right(other, one, vocabulary))
        return a, b, align(a.items, b.items, lexicon, vocabulary)

    def _read(
        self, text: str, lexicon: Lexicon, words: Sequence[Word], right: Sequence[Word]
    ) -> Reading:
        """A question, read; one without misspellings is remembered."""
        if right is not words:
            return read(text, lexicon, right)
        key = (id(lexicon), text)
        known = self._readings.get(key)
        if known is None:
            if len(self._readings) >= _REMEMBERED:
                self._readings.clear()
            known = self._readings[key] = read(text, lexicon, words)
        return known

    def lexicon(self, language: str) -> Lexicon:
        return self._lexicons.get(language, self._lexicons["en"])

    def _language(self, text: str, words: Sequence[Word]) -> str:
        """`en`, `zh` or `other`, of two questions in one script."""
        if has_han(text):
            return "zh"
        letters = [word.text for word in words if word.text.isalpha()]
        known = sum(self.vocabulary.knows(word) for word in letters)
        return "en" if known >= _KNOWN_SHARE * len(letters) else "other"

    def alike(self, one: str, other: str, cosine: float) -> bool:
        """See `Judge.alike`: the same text, or close in meaning with the same numbers in it and
        as many negations."""
        if one.split() == other.split():
            return True
        if cosine < _SAME_ANSWER:
            return False
        lexicon = self._lexicons["zh" if has_han(one) else "en"]
        a, b = read(one, lexicon), read(other, lexicon)
        numbers = {(str(q.value), q.unit) for q in a.quantities}
        return (
            numbers == {(str(q.value), q.unit) for q in b.quantities}
            and (a.negations > 0) == (b.negations > 0)
            and a.code == b.code
        )


@lru_cache(maxsize=_REMEMBERED)
def _words(text: str) -> tuple[Word, ...]:
    return tuple(words_of(text))
