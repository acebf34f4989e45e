"""The rules over one piece of an answer: what may go out now, and what each of them holds."""

from __future__ import annotations

from collections import Counter

from serve_app.core.screening import Finding, Held, Released, Tail
from serve_app.filters.selection import AnswerRule, Selection
from serve_app.filters.stream import Step


def release(selection: Selection, tail: Tail) -> Released:
    """Read one piece by the rules of its place."""
    rules = selection.answers[tail.place]
    if not rules:
        held = "" if tail.held is None else tail.held.text
        return Released(held + tail.new, rules=selection.digest)
    return _Reading(selection, rules, tail).read()


class _Reading:
    """A piece on its way from rule to rule."""

    __slots__ = ("_before", "_found", "_held", "_new", "_released", "_rules", "_selection", "_tail")

    def __init__(self, selection: Selection, rules: tuple[AnswerRule, ...], tail: Tail) -> None:
        self._selection = selection
        self._rules = rules
        self._tail = tail
        self._new = tail.new
        self._found: Counter[tuple[str, str]] | None = None
        self._released = Released("", rules=selection.digest)
        self._take_up(tail.held)

    def _take_up(self, held: Held | None) -> None:
        """Go on with what is held. What other rules held goes through these from the start."""
        count = len(self._rules)
        if held is None:
            self._held, self._before = [""] * count, [""] * count
        elif held.rules == self._selection.digest:
            self._held, self._before = list(held.parts), list(held.before)
        else:
            self._held, self._before = (
                [""] * count,
                [held.before[-1] if held.before else ""] * count,
            )
            self._new = held.text + self._new

    def read(self) -> Released:
        released, text, final = self._released, self._new, self._tail.final
        for at, rule in enumerate(self._rules):
            if not (text or final):
                break
            step = rule.step(self._tail, self._before[at], self._held[at], text, final=final)
            self._before[at], self._held[at], text = step.before, step.held, step.out
            if step.kinds:
                self._note(rule, step)
                final = final or step.blocked
        released.text = text
        if not final:
            parts, before = tuple(self._held), tuple(self._before)
            released.held = Held(self._selection.digest, parts, before)
        if self._found is not None:
            released.findings = tuple([Finding(*key, n) for key, n in self._found.items()])
        return released

    def _note(self, rule: AnswerRule, step: Step) -> None:
        head, released = rule.head, self._released
        if self._found is None:
            self._found = Counter()
        self._found.update((head.finding(kind), head.noted) for kind in step.kinds)
        if head.warns and head.name not in released.warnings:
            released.warnings = (*released.warnings, head.name)
        released.changed = released.changed or step.changed or step.blocked
        if step.blocked:
            released.blocked = head.name
