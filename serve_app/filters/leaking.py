"""The rule that keeps a system prompt from being told."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from msgspec import structs

from serve_app.core.screening import Tail, Verdict
from serve_app.filters.leak import LeakFinders
from serve_app.filters.normalize import encodable
from serve_app.filters.page import Page
from serve_app.filters.rules import Head
from serve_app.filters.stream import Replace, Span, Step
from serve_app.filters.works import step_in

_REMEMBERED: Final = 64
"""Finders of system prompts that are kept ready."""
_MOST_CHARS: Final = 32_768
"""Of a system prompt: so much goes along with every piece of an answer."""


class LeakRule:
    """Looks for what the system prompt says, so that every request has a finder of its own.

    Args:
        finders: of system prompts, with the sentences that are put at their ends.
        digest: names the key of the canaries.
    """

    is_of_answers = True

    def __init__(
        self, head: Head, finders: LeakFinders, replace: Replace | None, cost_ns: int, digest: str
    ) -> None:
        self.head = head
        self.digest = digest
        self.cost_ns = cost_ns
        self._finders = finders
        self._replace = replace if head.redacts else None
        self._spans: OrderedDict[tuple[str, ...], Span] = OrderedDict()

    def read(self, page: Page) -> None:
        """Nothing: a request may quote its own system prompt."""

    def guarding(self, verdict: Verdict, page: Page) -> Verdict:
        """The verdict with what the answer must not tell."""
        system = _bounded(page.at("system"))
        if not system:
            return verdict
        canary = verdict.canary
        if not (canary or self.head.is_dry):
            canary = self._finders.sentence(tuple(map(encodable, system)))
        return structs.replace(verdict, system=system, canary=canary)

    def step(self, tail: Tail, before: str, held: str, new: str, *, final: bool) -> Step:
        if not tail.system:
            return Step(held + new, "", "")
        return step_in(self._span(tail.system), tail.place, before, held, new, final=final)

    def _span(self, system: tuple[str, ...]) -> Span:
        # By the texts themselves, whose hashes are kept: a digest for each piece would take longer
        # than all the rest.
        span = self._spans.get(system)
        if span is None:
            finder = self._finders.finder(tuple(map(encodable, system)))
            span = Span(finder, self._replace, self.head.blocks)
            self._spans[system] = span
            while len(self._spans) > _REMEMBERED:
                self._spans.popitem(last=False)
        return span


def _bounded(texts: tuple[str, ...]) -> tuple[str, ...]:
    """The first so many characters: they go with every piece of an answer."""
    left = _MOST_CHARS
    kept: list[str] = []
    for text in texts:
        if text and left > 0:
            kept.append(text[:left])
            left -= len(text)
    return tuple(kept)
