"""The filter stage: the rules that hold, in their order, over requests and over answers.

A request is judged as a whole: each rule reads what the one before left of it, and the first
that blocks decides. An answer is read in pieces, and each rule holds back what it cannot decide
yet; nothing is kept here between two pieces, so that any replica may read the next one.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Mapping
from typing import TypeVar

from serve_app.config.policy import FilterPolicy
from serve_app.core.screening import Released, Tail, Texts, Verdict
from serve_app.filters.answer import release
from serve_app.filters.asking import AskRule
from serve_app.filters.base import Classifier
from serve_app.filters.making import Maker
from serve_app.filters.page import Page
from serve_app.filters.readings import one_request
from serve_app.filters.ruleset import RuleSet
from serve_app.filters.selection import Selection

_OFF_LOOP_NS = 1_000_000
"""Work that takes longer, by what rules are known to cost, is done in a thread."""

Result = TypeVar("Result")


class FilterStage:
    """Implements `filters.base.Filter` for one policy at a time.

    Args:
        environ: where the keys of rules are.
        classifiers: models that rules may ask, by `source`.

    Raises:
        PolicyRejected: a rule of the policy cannot be used; says which and why.
    """

    def __init__(
        self,
        policy: FilterPolicy,
        environ: Mapping[str, str] | None = None,
        classifiers: Mapping[str, Classifier] | None = None,
    ) -> None:
        self._maker = Maker(environ or {}, classifiers or {})
        self.reconfigure(policy)

    def reconfigure(self, policy: FilterPolicy) -> None:
        """Judge by another policy from the next batch on.

        Raises:
            PolicyRejected: as the constructor; the policy before stays.
        """
        self._rules = RuleSet(policy, self._maker.rules(policy))

    async def check_input(self, batch: list[Texts]) -> list[Verdict]:
        rules = self._rules
        readings = [_Reading(item, rules.selected(item.tenant, item.path)) for item in batch]
        waiting = [reading for reading in readings if not reading.is_over]
        while waiting:
            await _read(waiting)
            await _ask(waiting)
            waiting = [reading for reading in waiting if not reading.is_over]
        return [reading.verdict() for reading in readings]

    async def check_output(self, batch: list[Tail]) -> list[Released]:
        rules = self._rules
        pairs = [(rules.selected(tail.tenant, tail.path), tail) for tail in batch]
        work_ns = sum([_size(tail.new) * one.answer_ns[tail.place] for one, tail in pairs])
        if work_ns <= _OFF_LOOP_NS:
            return [release(one, tail) for one, tail in pairs]
        return await asyncio.to_thread(lambda: [release(one, tail) for one, tail in pairs])


class _Reading:
    """One request on its way through the rules that hold for it."""

    __slots__ = ("_name", "_next", "_selection", "is_over", "page")

    def __init__(self, item: Texts, selection: Selection) -> None:
        self.page = Page(item)
        self._selection = selection
        self._next = 0
        self._name = None if selection.clean is None else selection.clean.name(item)
        known = self._name is not None and self._name in selection.clean  # type: ignore[operator]
        self.is_over = known or not selection.input

    @property
    def work_ns(self) -> int:
        return sum(map(_size, self.page.texts)) * self._selection.input_ns

    @property
    def asks(self) -> AskRule | None:
        """The rule that a model must answer now."""
        if self.is_over:
            return None
        rule = self._selection.input[self._next]
        return rule if isinstance(rule, AskRule) else None

    def read(self) -> None:
        """Go on to the end, or to the next rule that asks."""
        rules = self._selection.input
        with one_request():
            while not self.is_over:
                rule = rules[self._next]
                if isinstance(rule, AskRule):
                    return
                rule.read(self.page)
                self.done()

    def done(self) -> None:
        """A rule has had its turn."""
        self._next += 1
        self.is_over = bool(self.page.blocked) or self._next == len(self._selection.input)

    def verdict(self) -> Verdict:
        selection = self._selection
        verdict = self.page.verdict(selection.allow)
        if verdict is selection.allow and self._name is not None and selection.clean is not None:
            selection.clean.add(self._name)
        if not self.page.blocked:
            for leak in selection.leaks:
                verdict = leak.guarding(verdict, self.page)
        return verdict


async def _read(readings: list[_Reading]) -> None:
    if sum([reading.work_ns for reading in readings]) <= _OFF_LOOP_NS:
        _read_all(readings)
        return
    await asyncio.to_thread(_read_all, readings)


def _read_all(readings: list[_Reading]) -> None:
    for reading in readings:
        reading.read()


async def _ask(readings: list[_Reading]) -> None:
    """Ask each model once for all that have come to it, all models at the same time."""
    asking: dict[AskRule, list[_Reading]] = {}
    for reading in readings:
        if (rule := reading.asks) is not None:
            asking.setdefault(rule, []).append(reading)
    if not asking:
        return
    async with asyncio.TaskGroup() as group:
        for rule, asked in asking.items():
            pages = [reading.page for reading in asked]
            group.create_task(rule.ask(pages), context=contextvars.Context())
    for asked in asking.values():
        for reading in asked:
            reading.done()


def _size(text: str) -> int:
    """About the bytes of the text in UTF-8, without encoding it."""
    return len(text) if text.isascii() else 3 * len(text)
