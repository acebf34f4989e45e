"""Where the text of a new answer meets what the caller has already: nothing twice, nothing lost."""

from __future__ import annotations

from typing import Protocol

from serve_app.backends.base import AttemptFailed

TELLING = 24
"""Characters: a new text that begins like the old one for so long does not go on from it."""

REPEATED = 8
"""Characters: an old text that says its own beginning twice may go on with it a third time."""

DEPARTED = "departed"
"""`code` of the failure of a new answer that says something else."""

UNCLEAR = "unclear"
"""`code` of the failure of a new answer of which nobody can say if it goes on or begins anew."""


class Seam(Protocol):
    """Takes the new text piece by piece and says what of it the caller has not had."""

    begins_anew: bool
    """The new answer repeats the old one (as far as can be told by now)."""

    def feed(self, text: str) -> str:
        """What of a piece may go out now.

        Raises:
            AttemptFailed: code `departed` or `unclear`; nothing was let out before.
        """

    def finish(self) -> str:
        """The new text is over: what was held back. Raises like `feed`."""


class Anew:
    """The answer begins again: what was sent is checked off before anything goes out."""

    begins_anew = True

    def __init__(self, sent: str) -> None:
        self._sent = sent
        self._at = 0

    def feed(self, text: str) -> str:
        rest = len(self._sent) - self._at
        if not rest:
            return text
        known, new = text[:rest], text[rest:]
        if not self._sent.startswith(known, self._at):
            raise _departed()
        self._at += len(known)
        return new

    def finish(self) -> str:
        if self._at < len(self._sent):
            raise _departed()
        return ""


class Onward:
    """The answer goes on from a beginning that was handed over.

    A provider may ignore the beginning and begin anew; so the new text is held back while it
    equals what was sent. The white space at the end of what was sent is not handed over (some
    providers refuse it, others drop it), so it comes again and is checked off.
    """

    def __init__(self, sent: str) -> None:
        self.begins_anew = False
        self._sent = sent
        self._at = 0
        self._space = sent[len(beginning(sent)) :]
        self._is_settled = False

    def feed(self, text: str) -> str:
        if self._is_settled:
            return self._after_space(text)
        known = _common(self._sent[self._at : self._at + len(text)], text)
        self._at += known
        if self._at == len(self._sent):
            return self._again(text[known:])
        return "" if known == len(text) else self._other(text[known:])

    def finish(self) -> str:
        return "" if self._is_settled else self._other("")

    def _again(self, rest: str) -> str:
        """All that was sent came once more."""
        if len(self._sent) < TELLING or self._sent.find(self._sent[:REPEATED], 1) >= 0:
            raise AttemptFailed(
                "candidate", "nobody can tell whether it goes on or begins anew", code=UNCLEAR
            )
        self.begins_anew = self._is_settled = True
        self._space = ""
        return rest

    def _other(self, rest: str) -> str:
        """It says something else than the beginning that was sent."""
        if self._at >= TELLING:
            raise _departed()
        self._is_settled = True
        return self._after_space(self._sent[: self._at] + rest)

    def _after_space(self, text: str) -> str:
        if not self._space:
            return text
        known = _common(self._space, text)
        self._space = self._space[known:] if known == len(text) else ""
        return text[known:]


def beginning(sent: str) -> str:
    """What of a text is handed over to go on from; empty if there is nothing to go on from."""
    return sent.rstrip()


def _common(a: str, b: str) -> int:
    """Characters of the common beginning."""
    if b.startswith(a):
        return len(a)
    return next((at for at, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), len(b))


def _departed() -> AttemptFailed:
    return AttemptFailed("candidate", "its text departs from what was sent", code=DEPARTED)
