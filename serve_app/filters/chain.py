"""The filter stage: which rules apply to which text, in which order, and what becomes of it.

Input: length (user), then injection, then words (user and tool: what the team itself wrote is
trusted). The first rule that blocks decides. Output: personal data, see `stream.py`.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar

from serve_app import __version__
from serve_app.config.policy import FilterPolicy
from serve_app.core.types import Finding, Released, Tail, Texts, Verdict
from serve_app.filters.clean import CleanTexts
from serve_app.filters.injection import Detector
from serve_app.filters.normalize import fold, original_ranges
from serve_app.filters.stream import filter_tail
from serve_app.filters.words import Lexicon, Span

_CHECKED_ROLES = frozenset(["user", "tool", "function"])
_REDACTED = "[REDACTED]"
_OFF_LOOP_BYTES = 32_768
"""A larger batch is judged in a thread; this much takes about a millisecond."""

Item = TypeVar("Item")
Result = TypeVar("Result")
Counts = Counter[tuple[str, str]]
"""How often a rule was met, by (rule, action)."""


class FilterStage:
    """Implements `filters.base.Filter` for one policy at a time.

    Raises:
        PolicyRejected: a word list of the policy cannot be used; says which and why.
    """

    def __init__(self, policy: FilterPolicy) -> None:
        self._detector = Detector()
        self._rules = _Rules(policy, self._detector)

    def reconfigure(self, policy: FilterPolicy) -> None:
        """Judge by another policy from the next batch on.

        Raises:
            PolicyRejected: as the constructor; the policy before stays.
        """
        self._rules = _Rules(policy, self._detector)

    async def check_input(self, batch: list[Texts]) -> list[Verdict]:
        rules = self._rules
        names = [rules.clean.name(item) for item in batch]
        known = [name is not None and name in rules.clean for name in names]
        waiting = [item for item, is_known in zip(batch, known, strict=True) if not is_known]
        size = sum(_size(text) for item in waiting for text in item.texts)
        judged = iter(await _apply(rules.judge, waiting, size))
        verdicts = [rules.allow if is_known else next(judged) for is_known in known]
        for name, verdict in zip(names, verdicts, strict=True):
            if name is not None and verdict is rules.allow:
                rules.clean.add(name)
        return verdicts

    async def check_output(self, batch: list[Tail]) -> list[Released]:
        size = sum(_size(tail.held) + _size(tail.new) for tail in batch)
        return await _apply(self._rules.release, batch, size)


def _size(text: str) -> int:
    """About the bytes of the text in UTF-8, without encoding it."""
    return len(text) if text.isascii() else 3 * len(text)


async def _apply(rule: Callable[[Item], Result], batch: list[Item], size: int) -> list[Result]:
    if size <= _OFF_LOOP_BYTES:
        return [rule(item) for item in batch]
    return await asyncio.to_thread(lambda: [rule(item) for item in batch])


class _Text(NamedTuple):
    place: int
    sent: str
    folded: str


class _Rules:
    """Everything one policy decides. What it decides never changes, so threads may share it."""

    def __init__(self, policy: FilterPolicy, detector: Detector) -> None:
        self._policy = policy
        self._detector = detector
        self._lexicon = Lexicon(policy.words if policy.enabled else ())
        self._digest = self._named() if policy.enabled else ""
        self.allow = Verdict(rules=self._digest)
        """Nothing was found."""
        self.clean = CleanTexts()

    def _named(self) -> str:
        """Changes with whatever decides what is let through: policy, words, our own patterns."""
        parts = (__version__, self._policy.model_dump_json(), self._lexicon.digest)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    def judge(self, item: Texts) -> Verdict:
        """Apply the input rules to the texts of one request."""
        if not self._policy.enabled:
            return self.allow
        if self._is_too_long(item):
            return _blocked("input_length", Counter({("input_length", "block"): 1}))
        texts = [
            _Text(i, text, fold(text))
            for i, (text, role) in enumerate(zip(item.texts, item.roles, strict=True))
            if role in _CHECKED_ROLES
        ]
        counts: Counts = Counter()
        if self._is_injection(texts, counts):
            return _blocked("injection", counts)
        return self._judge_words(item, texts, counts)

    def release(self, tail: Tail) -> Released:
        """Apply the output rules to one piece of an answer."""
        if not self._policy.enabled or self._policy.output_pii == "off":
            return Released(tail.held + tail.new, "")
        released = filter_tail(tail, self._policy.output_pii)
        released.rules = self._digest
        return released

    def _is_too_long(self, item: Texts) -> bool:
        limit = self._policy.max_input_chars
        return limit is not None and any(
            role == "user" and len(text) > limit
            for text, role in zip(item.texts, item.roles, strict=True)
        )

    def _is_injection(self, texts: Iterable[_Text], counts: Counts) -> bool:
        """Count the signals of texts that reach the threshold; True if that blocks."""
        action = self._policy.injection
        if action == "off":
            return False
        reached = False
        for text in texts:
            score = self._detector.score(text.sent, text.folded)
            if score.total >= self._policy.injection_threshold:
                reached = True
                counts.update((f"injection:{name}", action) for name in score.signals)
        return reached and action == "block"

    def _judge_words(self, item: Texts, texts: Iterable[_Text], counts: Counts) -> Verdict:
        redacted: dict[int, str] = {}
        blocking: set[int] = set()
        for text in texts:
            hide: list[Span] = []
            for number, spans in self._lexicon.search(text.folded).items():
                words = self._lexicon.lists[number]
                counts[f"words:{words.name}", words.action] += len(spans)
                if words.action == "block":
                    blocking.add(number)
                elif words.action == "redact":
                    hide += spans
            if hide:
                redacted[text.place] = _redact(text, hide)
        if blocking:
            return _blocked(f"words:{self._lexicon.lists[min(blocking)].name}", counts)
        if not redacted:
            if not counts:
                return self.allow
            return Verdict(findings=_findings(counts), rules=self._digest)
        replaced = tuple(redacted.get(i, text) for i, text in enumerate(item.texts))
        return Verdict("redact", "", _findings(counts), replaced, self._digest)


def _blocked(rule: str, counts: Counts) -> Verdict:
    return Verdict("block", rule, _findings(counts))


def _findings(counts: Counts) -> tuple[Finding, ...]:
    return tuple(Finding(rule, action, count) for (rule, action), count in counts.items())


def _redact(text: _Text, spans: list[Span]) -> str:
    parts: list[str] = []
    position = 0
    for start, end in _merged(original_ranges(text.sent, text.folded, spans)):
        parts += text.sent[position:start], _REDACTED
        position = end
    return "".join(parts) + text.sent[position:]


def _merged(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The ranges in order, those that overlap made one."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
