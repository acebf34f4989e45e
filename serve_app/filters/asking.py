"""The rule that has a model classify texts."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from serve_app.config.policy import ClassifierRule
from serve_app.filters.base import Classifier
from serve_app.filters.page import Page
from serve_app.filters.rules import Head
from serve_app.filters.works import found_in

log = logging.getLogger(__name__)


class AskRule:
    """Has a model classify the texts of requests; the stage asks, for a whole batch at once."""

    is_of_answers = False
    digest = ""
    cost_ns = 0

    def __init__(self, head: Head, rule: ClassifierRule, classifier: Classifier) -> None:
        self.head = head
        self._rule = rule
        self._labels = frozenset(rule.labels)
        self._classifier = classifier

    async def ask(self, pages: list[Page]) -> None:
        """Judge the texts of several requests."""
        asked = [(page, *item) for page in pages for item in page.of(self.head)]
        if not asked:
            return
        answers = await self._answers([text for _, _, _, text in asked])
        if answers is None:
            for page in pages:
                self._away(page)
            return
        for (page, number, place, _), scores in zip(asked, answers, strict=True):
            if found := self._counting(scores):
                found_in(page, self.head, number, place, found)

    async def _answers(self, texts: list[str]) -> list[dict[str, float]] | None:
        try:
            async with asyncio.timeout(self._rule.timeout_s):
                answers = await self._classifier.classify(texts)
        except Exception as error:  # noqa: BLE001 - of the server; the rule says what then
            log.warning("the classifier of rule %r does not answer: %r", self.head.name, error)
            return None
        if len(answers) != len(texts):
            log.warning("the classifier of rule %r answers in part", self.head.name)
            return None
        return answers

    def _away(self, page: Page) -> None:
        """As if nothing were found, or as if all were: the policy says which."""
        if self._rule.if_away == "block":
            page.note(self.head, ["away"])
            if not self.head.is_dry:
                page.blocked = self.head.name

    def _counting(self, scores: dict[str, float]) -> list[str]:
        least = self._rule.threshold
        return [
            label
            for label, score in scores.items()
            if score >= least
            and (label in self._labels if self._labels else label.lower() not in _SAFE)
        ]


_SAFE: Final = frozenset({"safe", "benign", "none", "ok", "label_0"})
"""Labels by which common classifiers say that nothing is wrong."""
