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
from serve_app.backends.ways import ways
from serve_app.core.errors import GatewayError
from serve_app.core.types import Candidate, Chunk, Message


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
    ) -> tuple[Mended, list[Chunk]]:
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

    def _may_go_on(self, failed: AttemptFailed, sent: Sent) -> bool:
        rules = self._errand.rules
        if not rules.recover or self._left < 1 or failed.kind == "caller":
            return False
        if failed.kind == "content" and rules.on_content_refusal == "return":
            return False
        return not (sent.seals or sent.is_lost)

    async def _found(self, broken: Candidate, sent: Sent) -> tuple[Mended, list[Chunk]] | None:
        text = sent.text()
        if len(text) > MAX_CHARS:
            return None
        given_up: set[Candidate] = set()
        for candidate, prefix in ways(self._errand, broken, text, given_up):
            if self._errand.unfit(candidate) or not await self._errand.may_try(candidate):
                continue
            try:
                outcome = await self._asked(candidate, prefix, text, sent)
            except GatewayError:  # no time is left; the first cause is what the caller should know
                return None
            if not isinstance(outcome, AttemptFailed):
                return outcome
            if not (prefix and _is_about_the_prefix(outcome)):
                given_up.add(candidate)
        return None

    async def _asked(
        self, candidate: Candidate, prefix: str, text: str, sent: Sent
    ) -> tuple[Mended, list[Chunk]] | AttemptFailed:
        """One candidate, again if it failed before it said anything and that can help."""
        retry = 0
        while True:
            mended = self._mended(self._errand.send(candidate, prefix), text, prefix, sent)
            outcome = await self._begun(mended, text)
            if not isinstance(outcome, AttemptFailed):
                return mended, outcome
            pause = None if mended.heard else self._errand.pause_s(candidate, outcome, retry)
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

    def _mended(self, attempt: Attempt, text: str, prefix: str, sent: Sent) -> Mended:
        if not prefix:
            return Mended(attempt, Anew(text), sent, 0)
        return Mended(attempt, Onward(text), sent, self._errand.means.count_tokens(prefix))

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
