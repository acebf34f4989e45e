"""What rules do: with ranges of texts, or with texts as a whole."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Final

from serve_app.core.screening import Tail
from serve_app.filters.base import Finder, RuleFailed
from serve_app.filters.page import Page
from serve_app.filters.rules import FAILED, Head
from serve_app.filters.stream import Replace, Span, Step

log = logging.getLogger(__name__)

REMOVED: Final = "[REDACTED]"
_JSON: Final = "tool_arguments"

Label = Callable[[str], str]
"""A kind, as it is called where a match stood: `EMAIL` in `[EMAIL]`."""
Judge = Callable[[str, str], Sequence[str]]
"""A text and its place, to what is wrong with it; nothing: it is well."""


class SpanRule:
    """Acts on ranges of texts, of requests and answers alike.

    Args:
        replace: what stands in the place of a match; None where the rule redacts reversibly.
        label: how a kind is called in placeholders.
        cost_ns: about the CPU time that a byte takes.
        digest: names what the finder knows, wherever it was read from.
        is_foreign: code that is not ours decides, maybe not the same each time.
    """

    def __init__(
        self,
        head: Head,
        finder: Finder,
        replace: Replace | None,
        label: Label,
        cost_ns: int,
        digest: str = "",
        *,
        is_foreign: bool = False,
    ) -> None:
        self.head = head
        self.digest = digest
        self.is_foreign = is_foreign
        self.cost_ns = cost_ns
        self._finder = finder
        self._label = label
        self._is_reversible = head.redacts and replace is None
        self._span = Span(finder, replace if head.redacts else None, head.blocks)

    @property
    def is_of_answers(self) -> bool:
        """False where it gives placeholders, which only a request has."""
        return not self._is_reversible

    def read(self, page: Page) -> None:
        span = self._named(page) if self._is_reversible else self._span
        for number, place, text in page.of(self.head):
            step = self._step(span, place, "", "", text, final=True)
            if step.kinds:
                page.note(self.head, step.kinds)
                if step.changed:
                    page.put(number, step.out)
                if step.blocked:
                    page.blocked = self.head.name

    def step(self, tail: Tail, before: str, held: str, new: str, *, final: bool) -> Step:
        """One piece of an answer."""
        return self._step(self._span, tail.place, before, held, new, final=final)

    def _step(
        self, span: Span, place: str, before: str, held: str, new: str, *, final: bool
    ) -> Step:
        try:
            return step_in(span, place, before, held, new, final=final)
        except RuleFailed as failed:
            log.warning("the filter rule %r could not judge a text: %s", self.head.name, failed)
        if self.head.closes:
            return Step("", "", "", [FAILED], blocked=True)
        return Step(held + new, before, "", [FAILED])

    def _named(self, page: Page) -> Span:
        vault, label = page.vault, self._label
        return Span(self._finder, lambda kind, value: vault.name(label(kind), value))


def step_in(span: Span, place: str, before: str, held: str, new: str, *, final: bool) -> Step:
    """One step in a text of a place: arguments of tool calls are JSON."""
    if place == _JSON:
        return span.step_json(before, held, new, final=final)
    return span.step(before, held, new, final=final)


class TextRule:
    """Acts on texts as a whole, of requests only."""

    is_of_answers = False

    def __init__(self, head: Head, judge: Judge, cost_ns: int, digest: str = "") -> None:
        self.head = head
        self.digest = digest
        self.cost_ns = cost_ns
        self._judge = judge

    def read(self, page: Page) -> None:
        for number, place, text in page.of(self.head):
            if found := self._judge(text, place):
                found_in(page, self.head, number, place, found)


def found_in(page: Page, head: Head, number: int, place: str, found: Sequence[str]) -> None:
    """A text is not well as a whole; where that is to be redacted, all of it goes."""
    page.note(head, found)
    if head.redacts:
        page.put(number, "{}" if place == _JSON else REMOVED)
