"""A stream that broke off goes on: continued from its beginning, or begun anew and checked off."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from msgspec import Struct

from serve_app.backends.attempt import Attempt
from serve_app.backends.base import AttemptFailed
from serve_app.backends.errand import Errand
from serve_app.backends.mended import Mended
from serve_app.backends.refusal import AUTH, CONTEXT
from serve_app.backends.seam import DEPARTED, UNCLEAR, Anew, Onward
from serve_app.backends.sent import MAX_CHARS, Sent
from serve_app.backends.ways import Way, ways
from serve_app.core.errors import GatewayError
from serve_app.core.plan import Candidate
from serve_app.core.types import Chunk, Message

_Found = tuple[Mended, list[Chunk]]
"""Who goes on with an answer, and its first batch."""


class Broken(Struct, frozen=True):
    """What an attempt that broke off had delivered, in estimated tokens; the provider bills it."""

    candidate: Candidate
    completion_tokens: int
    prompt_tokens: int


class Recovery:
    """Saves one answer, as often as the rules allow."""

    def __init__(self, errand: Errand) -> None:
        self._errand = errand
        self._left = errand.rules.max_recoveries
        self.broken: list[Broken] = []

    async def resume(
        self, attempt: Attempt, failed: AttemptFailed, sent: Sent | None, delivered: str
    ) -> _Found:
        """Who goes on with the answer, and its first batch.

        Args:
            attempt: the one that broke off.
            sent: what the caller has; None of several answers at once, which are not saved.
            delivered: the text of this attempt, as far as it was one of the answer.

        Raises:
            UpstreamFailed: nobody does; names the first cause; code `stream_interrupted`.
        """
        tries, broken = self._errand.tries, attempt.candidate
        tries.interrupted(broken, failed, attempt.began)
        self._note_broken(broken, delivered)
        since = tries.lines()
        if sent is not None and self._may_go_on(failed, sent):
            self._left -= 1
            found = await self._found(broken, sent)
            if found is not None:
                return found
        raise tries.broken_off(broken, failed, since) from failed

    async def take_over(self, sent: Sent | None) -> _Found:
        """Who goes on with an answer of which the maker is gone, and the first batch of the rest.

        Raises:
            UpstreamFailed: nobody does; code `stream_interrupted`.
        """
        gone = AttemptFailed("transient", "the replica that made the answer is gone")
        first = self._errand.plan.candidates[0]
        since = self._errand.tries.lines()
        if sent is not None and self._may_go_on(gone, sent):
            self._left -= 1
            found = await self._found(first, sent)
            if found is not None:
                return found
        raise self._errand.tries.broken_off(first, gone, since)

    def _may_go_on(self, failed: AttemptFailed, sent: Sent) -> bool:
        rules = self._errand.rules
        if not rules.recover or self._left < 1 or failed.kind == "caller":
            return False
        if failed.kind == "content" and rules.on_content_refusal == "return":
            return False
        return not (sent.seals or sent.is_lost)

    async def _found(self, broken: Candidate, sent: Sent) -> _Found | None:
        text = sent.text()
        if len(text) > MAX_CHARS:
            return None
        try:
            return await self._first_of(broken, text, sent)
        except GatewayError:  # no time is left; the first cause is what the caller should know
            return None

    async def _first_of(self, broken: Candidate, text: str, sent: Sent) -> _Found | None:
        errand = self._errand
        given_up: set[Candidate] = set()
        resting: list[Way] = []
        for way in ways(errand, broken, text, given_up):
            if errand.unfit(way.candidate):
                continue
            if not await errand.may_try(way.candidate):
                resting.append(way)
            elif (found := await self._tried(way, text, sent, given_up)) is not None:
                return found
        # Better one that failed too often lately than a broken answer, as often as retries are.
        for way in sorted(resting, key=lambda w: errand.vital(w.candidate).breaker.failed_at):
            if way.candidate in given_up or errand.unfit(way.candidate):
                continue
            if not errand.means.budget.withdraw():
                given_up.add(way.candidate)
                errand.tries.skipped(way.candidate, "it failed too often lately")
            elif (found := await self._tried(way, text, sent, given_up)) is not None:
                return found
        return None

    async def _tried(
        self, way: Way, text: str, sent: Sent, given_up: set[Candidate]
    ) -> _Found | None:
        outcome = await self._asked(way, text, sent)
        if not isinstance(outcome, AttemptFailed):
            return outcome
        if not (way.prefix and _is_about_the_prefix(outcome)):
            given_up.add(way.candidate)
        return None

    async def _asked(self, way: Way, text: str, sent: Sent) -> _Found | AttemptFailed:
        """One candidate, again if it failed before it said anything and that can help."""
        retry = 0
        while True:
            mended = self._mended(way, text, sent)
            outcome = await self._begun(mended, text)
            if not isinstance(outcome, AttemptFailed):
                return mended, outcome
            pause = None if mended.heard else self._errand.pause_s(way.candidate, outcome, retry)
            if pause is None:
                return outcome
            retry += 1
            if pause:
                await self._errand.means.sleep(pause)

    async def _begun(self, mended: Mended, text: str) -> list[Chunk] | AttemptFailed:
        tries, attempt = self._errand.tries, mended.attempt
        try:
            batch = await mended.begin()
        except AttemptFailed as failed:
            tries.failed(attempt.candidate, failed, attempt.began)
            self._note_broken(attempt.candidate, text[: mended.heard])
            return failed
        except asyncio.CancelledError:
            tries.abandoned(attempt.candidate, attempt.began)
            raise
        tries.recovered(attempt.candidate, attempt.began)
        return batch

    def _mended(self, way: Way, text: str, sent: Sent) -> Mended:
        attempt = self._errand.send(way.candidate, way.prefix)
        if not way.prefix:
            return Mended(attempt, Anew(text), sent, 0)
        return Mended(attempt, Onward(text), sent, self._errand.means.count_tokens(way.prefix))

    # ----------------------------------------------------------------- the books

    def _note_broken(self, candidate: Candidate, text: str) -> None:
        if text:
            count = self._errand.means.count_tokens
            self.broken.append(Broken(candidate, count(text), self._prompt_tokens()))

    def _prompt_tokens(self) -> int:
        count = self._errand.means.count_tokens
        messages = self._errand.tries.request.params.messages
        return sum(count(text) for message in messages for text in _texts(message))


def _texts(message: Message) -> Iterator[str]:
    if isinstance(message.content, str):
        yield message.content
    else:
        yield from (part.text for part in message.content or () if part.text)


def _is_about_the_prefix(failed: AttemptFailed) -> bool:
    """True if the candidate may well answer without it."""
    if failed.code in (AUTH, CONTEXT, DEPARTED):
        return False
    return failed.code == UNCLEAR or failed.kind in ("caller", "candidate")
