"""How much reasoning a prompt needs: a text in, a score from 0 to 1 and its signals out.

The score is `1 - exp(-s)` with `s` the sum of what every signal contributes, never below 0:
several weak signals add up, no single one is certain. The words of `signals.py` are found in
one Aho-Corasick pass; the text's form (length, numbers, formulas, questions) is added here.
Time is linear in the text.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import re2
from ahocorasick_rs import BytesAhoCorasick, Implementation, MatchKind

from serve_app.routing.signals import QUANTITY, SIGNALS, Signal

_HEAD_CHARS: Final = 3000
_TAIL_CHARS: Final = 1000
"""A longer text is judged by its head and tail: instructions stand at the ends."""

_FORMULA_WEIGHT: Final = 0.45
_CHOICES_WEIGHT: Final = 0.1
_QUANTITIES_WEIGHT: Final = 0.6
_QUESTION_WEIGHT: Final = 0.15
_MOST_QUESTIONS: Final = 3
_LENGTH_FROM_CHARS: Final = 60
_LENGTH_WEIGHT: Final = 0.15
"""For each doubling of the length above `_LENGTH_FROM_CHARS`."""
_MOST_LENGTH: Final = 0.3
_CLAUSES_WEIGHT: Final = 0.1
"""For each doubling of a text's clauses: the more is said, the more is to be kept together."""
_MOST_CLAUSES: Final = 0.3
_CLAUSE_ENDS: Final = (", ", ". ", "; ", "，", "。", "；")
_LONG_WORDS_WEIGHT: Final = 0.25
_LONG_WORDS_FROM: Final = 5.5
"""Letters a word, the space included: everyday English has about 5, abstract prose above 6."""
_LONG_WORDS_LEAST: Final = 10
_TURN_WEIGHT: Final = 0.02
_MOST_TURNS: Final = 10
_HAN_DENSITY: Final = 3
"""A Han character says about as much as three Latin letters."""

_WORD_BYTES: Final = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789_")


class _Lexicon:
    """All words of all signals, to be found in one pass.

    Not an RE2 set: its automaton has a state for each combination of signals seen so far, and
    builds them while it reads (220 us for 2,000 characters of new text, against 15 us).
    """

    def __init__(self, signals: tuple[Signal, ...]) -> None:
        self._signals: list[Signal] = []
        self._whole: list[bool] = []
        words: list[bytes] = []
        for signal, word, whole in _entries(signals):
            words.append(word.encode())
            self._signals.append(signal)
            self._whole.append(whole)
        self._automaton = BytesAhoCorasick(
            words, matchkind=MatchKind.LeftmostLongest, implementation=Implementation.DFA
        )

    def signals_in(self, text: bytes) -> dict[str, float]:
        """Weights by name of the signals whose words occur in a lower-case text."""
        found: dict[str, float] = {}
        for index, start, end in self._automaton.find_matches_as_indexes(text):
            signal = self._signals[index]
            if signal.name in found or (signal.opening and start > 0):
                continue
            if not self._whole[index] or _is_word(text, start, end):
                found[signal.name] = signal.weight
        return found


def _entries(signals: tuple[Signal, ...]) -> Iterator[tuple[Signal, str, bool]]:
    for signal in signals:
        for word in signal.english.split("|"):
            yield signal, word, True
        for word in signal.chinese.split("|"):
            yield signal, word, False


def _is_word(text: bytes, start: int, end: int) -> bool:
    """Whether a match does not stand inside a longer word."""
    if start > 0 and text[start - 1] in _WORD_BYTES and text[start] in _WORD_BYTES:
        return False
    return end == len(text) or text[end] not in _WORD_BYTES or text[end - 1] not in _WORD_BYTES


_LEXICON: Final = _Lexicon(SIGNALS)
_FORMULA: Final = re2.compile(r"[∑∫√≤≥≠∞∂∀∃∈≡²³]|\\(?:frac|sum|int|sqrt)\b|[\w)] ?[\^=] ?[\d({x-z]")
_CHOICES: Final = re2.compile(r"\n\(?a[.)] ?[^\n]*\n\(?b[.)]")
_NUMBER: Final = (
    r"\b(?:\d[\d.,:]*|two|three|four|five|six|seven|eight|nine|ten|twice|half|dozen)[\s%\W]"
)
_TWO_NUMBERS: Final = re2.compile(f"(?s){_NUMBER}.*?{_NUMBER}")


def need(text: str, turns: int) -> tuple[float, dict[str, float]]:
    """Estimate how much reasoning an answer needs.

    Args:
        text: the last user message; of a long one only head and tail are read.
        turns: messages of the conversation so far.

    Returns:
        The score, 0 (none) to 1 (certain), and what each signal contributed to the sum.
    """
    if len(text) > _HEAD_CHARS + _TAIL_CHARS:
        text = f"{text[:_HEAD_CHARS]}\n{text[-_TAIL_CHARS:]}"
    lowered = text.strip().lower().encode("utf-8", "replace")
    signals = _LEXICON.signals_in(lowered)
    signals.update(_form(lowered, signals.pop(QUANTITY, None) is not None))
    signals.update(_shape(text, turns))
    total = sum(signals.values())
    return (1.0 - math.exp(-total) if total > 0.0 else 0.0), signals


def _form(text: bytes, asks_quantity: bool) -> dict[str, float]:
    """Signals of notation: formulas, answers to choose from, quantities given and asked for."""
    form: dict[str, float] = {}
    if _FORMULA.search(text):
        form["formula"] = _FORMULA_WEIGHT
    if _CHOICES.search(text):
        form["choices"] = _CHOICES_WEIGHT
    if asks_quantity and _TWO_NUMBERS.search(text):
        form["quantities"] = _QUANTITIES_WEIGHT
    return form


def _shape(text: str, turns: int) -> dict[str, float]:
    """Signals of size: length, clauses, long words, several questions, a long talk."""
    shape: dict[str, float] = {}
    chars = len(text) if text.isascii() else _weighed_chars(text)
    if chars > _LENGTH_FROM_CHARS:
        doublings = math.log2(chars / _LENGTH_FROM_CHARS)
        shape["length"] = min(_MOST_LENGTH, _LENGTH_WEIGHT * doublings)
    clauses = sum(map(text.count, _CLAUSE_ENDS))
    if clauses:
        shape["clauses"] = min(_MOST_CLAUSES, _CLAUSES_WEIGHT * math.log2(1 + clauses))
    words = text.count(" ") + 1
    if words >= _LONG_WORDS_LEAST and len(text) > _LONG_WORDS_FROM * words:
        shape["long_words"] = _LONG_WORDS_WEIGHT
    questions = text.count("?") + text.count("？")
    if questions > 1:
        shape["questions"] = _QUESTION_WEIGHT * min(questions - 1, _MOST_QUESTIONS)
    if turns > 1:
        shape["turns"] = _TURN_WEIGHT * min(turns - 1, _MOST_TURNS)
    return shape


def _weighed_chars(text: str) -> int:
    """Length in Latin letters. UTF-8 takes three bytes for a Han character, one for a letter."""
    wide = (len(text.encode("utf-8", "replace")) - len(text)) // 2
    return len(text) + (_HAN_DENSITY - 1) * wide
