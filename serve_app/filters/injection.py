"""Prompt injection: signals are weighed, no single word condemns a text.

Looks at the folded text and at what is hidden in it: text in Unicode tag characters and one
layer of Base64. This is a first sieve, not proof: a paraphrase passes it.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import NamedTuple

import re2

from serve_app.filters.normalize import encodable, fold, hidden_text
from serve_app.filters.signals import Signal
from serve_app.filters.signals_en import ENGLISH
from serve_app.filters.signals_zh import CHINESE

_BASE64 = r"[A-Za-z0-9+/_\-]{24,}"
_URL_SAFE = str.maketrans("-_", "+/")
_MAX_ENCODED_RUNS = 256
_MAX_ENCODED_CHARS = 16_384
_MAX_BROKEN_CHARS = 2
"""A cut at the limit breaks a character; bytes that are no text give many broken ones."""
_CONCEALED = 0.5
"""Weight of a signal being in a hidden layer at all."""
_PART_CHARS, _OVERLAP_CHARS = 4096, 512
"""Weak signals add up within a part only: far apart in a long document they mean nothing."""


class Score(NamedTuple):
    total: float
    signals: tuple[str, ...]
    """Names of the signals that were found, heaviest first."""


_NOTHING = Score(0.0, ())


class Detector:
    """Scores texts by `signals`. Compiled once; holds nothing of what it saw."""

    def __init__(self, signals: tuple[Signal, ...] = ENGLISH + CHINESE) -> None:
        options = _options()
        self._signals = signals
        self._set = re2.Set.SearchSet(options)
        for signal in signals:
            self._set.Add(signal.pattern)
        self._set.Compile()
        self._encoded = re2.compile(_BASE64, options)
        self._set.Match("")  # builds the automaton's start now, not in the first request

    def score(self, text: str, folded: str) -> Score:
        """The score of the worst part of `text`, whose `fold` is `folded`."""
        worst = max((self._weigh(part) for part in _parts(folded)), default=_NOTHING)
        for hidden in self._hidden(text):
            inside = max((self._weigh(part) for part in _parts(fold(hidden))), default=_NOTHING)
            if inside.total > 0:
                concealed = Score(inside.total + _CONCEALED, (*inside.signals, "concealed"))
                worst = max(worst, concealed)
        return worst

    def _weigh(self, folded: str) -> Score:
        numbers = self._set.Match(folded)
        if not numbers:
            return _NOTHING
        weights = {self._signals[n].name: self._signals[n].weight for n in numbers}
        names = sorted(weights, key=lambda name: -weights[name])
        return Score(round(sum(weights.values()), 3), tuple(names))

    def _hidden(self, text: str) -> Iterator[str]:
        if tagged := hidden_text(text):
            yield tagged
        runs = self._encoded.finditer(encodable(text))
        for _, run in zip(range(_MAX_ENCODED_RUNS), runs, strict=False):
            if decoded := _decoded(run.group()):
                yield decoded


def _parts(folded: str) -> Iterator[str]:
    if len(folded) <= _PART_CHARS:
        yield folded
        return
    for start in range(0, len(folded) - _OVERLAP_CHARS, _PART_CHARS - _OVERLAP_CHARS):
        yield folded[start : start + _PART_CHARS]


def _decoded(run: str) -> str:
    """The text that `run` is Base64 of; empty if it is not Base64 of text."""
    run = run[:_MAX_ENCODED_CHARS].translate(_URL_SAFE)
    if len(run) % 4 == 1:
        run = run[:-1]
    content = base64.b64decode(run + "=" * (-len(run) % 4))
    text = content.decode("utf-8", "replace")
    return text if text.count("\ufffd") <= _MAX_BROKEN_CHARS else ""


def _options() -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 32 << 20
    return options
