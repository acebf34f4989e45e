"""The security desk's contracts: texts in, a verdict out; and what a rule needs to find things."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from serve_app.core.screening import Released, Tail, Texts, Verdict


class Filter(Protocol):
    """A batch in, a result for each item, in order. Never raises for what a text contains."""

    async def check_input(self, batch: list[Texts]) -> list[Verdict]:
        """Judge the texts of requests."""

    async def check_output(self, batch: list[Tail]) -> list[Released]:
        """Filter pieces of answers. Keeps no state: the caller hands back what was held."""


METHODS = {"check_input": (Texts, Verdict), "check_output": (Tail, Released)}


class Match(NamedTuple):
    """A range of a text, in characters of the text as it was given, and what it is."""

    kind: str
    start: int
    end: int


class RuleFailed(Exception):
    """A rule could not judge a text: code that is not ours failed, or took too long.

    The message is for the owner of the rule and never has anything of the text.
    """


class Finder(Protocol):
    """Finds what a rule is about, in whole texts and in texts that are still arriving.

    The two methods agree so that a text filtered in pieces comes out as the whole would: for any
    text and any end of it that is missing yet, the matches that begin before `undecided` are
    those that the whole text has there, with the same end.
    """

    def find(self, text: str, start: int = 0) -> list[Match]:
        """The matches that begin at or after `start`, in order, without overlap.

        Args:
            start: where the search begins; what stands before it is only looked at as the
                neighbour of a match (`before` characters of it are enough).

        Raises:
            RuleFailed: only where the rule is code of its owner.
        """

    def undecided(self, text: str, start: int = 0) -> int:
        """The first place at or after `start` where a match might begin that more text would
        complete, lengthen, or undo (by what stands behind it); the text's length if none.

        `len(text)` minus this is never more than `longest`.
        """

    @property
    def before(self) -> int:
        """How many characters before a match decide whether it is one."""

    @property
    def longest(self) -> int:
        """Longest match in characters, with what is looked at behind it."""


class Classifier(Protocol):
    """A model that says of each text how much of each label there is in it."""

    async def classify(self, texts: list[str]) -> list[dict[str, float]]:
        """Scores by label, 0 to 1, for each text in order. Raises where it cannot be asked."""
