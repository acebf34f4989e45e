"""A new answer in place of one that broke off: its chunks, as the caller should see them."""

from __future__ import annotations

from typing import Any

import msgspec

from serve_app.backends.attempt import MAX_HELD, Attempt
from serve_app.backends.base import AttemptFailed
from serve_app.backends.seam import Seam
from serve_app.backends.sent import Sent
from serve_app.core.types import Chunk, ChunkChoice, Usage

_REASONING = ("reasoning_content", "reasoning", "reasoning_details")

_object = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.encode


class Mended:
    """Batches of an attempt whose text passes a seam. Its reasoning is left out: the caller has
    seen some already, or is past it.

    Args:
        sent: of the broken answer; its `id` and `created` stay.
        given_tokens: of the part that the attempt was given to go on from: they are of the
            answer, and not of the prompt as the provider counts them. 0 where it was given none.
    """

    def __init__(self, attempt: Attempt, seam: Seam, sent: Sent, given_tokens: int) -> None:
        self.attempt = attempt
        self.heard = 0
        """Characters of text that came."""
        self._seam = seam
        self._id = sent.id
        self._created = sent.created
        self._given_tokens = given_tokens
        self._silent = 0
        self._skipped = 0

    @property
    def given_tokens(self) -> int:
        """Of the answer's usage, so many the provider counted as a part of the prompt."""
        return 0 if self._seam.begins_anew else self._given_tokens

    @property
    def begins_anew(self) -> bool:
        """It repeats what was sent; False: it holds only what comes after it."""
        return self._seam.begins_anew

    async def begin(self) -> list[Chunk]:
        """Everything up to the first batch that has something for the caller.

        Raises:
            AttemptFailed: it failed, or says something else; the attempt is over.
        """
        first = await self.attempt.first()
        try:
            return self._passed(first) or await self.next()
        except StopAsyncIteration:
            empty = AttemptFailed("transient", "the reply is empty", code="truncated")
            raise await self.attempt.fail(empty) from None
        except Exception as error:  # noqa: BLE001 - see `Attempt.fail`
            raise await self.attempt.fail(error)  # noqa: B904 - it is the same error, mostly
        except BaseException:
            await self.attempt.leave()
            raise

    async def next(self) -> list[Chunk]:
        """The next batch with something for the caller.

        Raises:
            StopAsyncIteration: the answer is whole.
            AttemptFailed: it broke off, or says something else.
        """
        while True:
            if out := self._passed(await self.attempt.batches.__anext__()):
                return out

    def _passed(self, batch: list[Chunk]) -> list[Chunk]:
        return [new for chunk in batch if (new := self._pass(chunk)) is not None]

    def _pass(self, chunk: Chunk) -> Chunk | None:
        """The chunk as a part of the old answer; None if it has nothing new."""
        self._skipped += chunk.skipped
        text = ""
        if chunk.choices:
            choice = chunk.choices[0]
            text = self._new_text(choice)
            if not (text or _has_more(choice)):
                self._count_silence(chunk)
                return None
        elif chunk.usage is None:
            return None
        return self._encoded(chunk, text)

    def _new_text(self, choice: ChunkChoice) -> str:
        content = choice.delta.content or ""
        self.heard += len(content)
        text = self._seam.feed(content) if content else ""
        return text + self._seam.finish() if _has_more(choice) else text

    def _count_silence(self, chunk: Chunk) -> None:
        self._silent = 0 if chunk.has_content() else self._silent + 1
        if self._silent > MAX_HELD:
            raise AttemptFailed("candidate", f"no content in {MAX_HELD} events")

    def _usage(self, usage: Usage) -> Usage:
        """As of one answer, of which the provider was given a part with the prompt."""
        if given := self.given_tokens:
            usage.prompt_tokens = max(0, usage.prompt_tokens - given)
            usage.completion_tokens += given
            usage.total_tokens = usage.prompt_tokens + usage.completion_tokens
        return usage

    def _encoded(self, chunk: Chunk, text: str) -> Chunk:
        value = _object(chunk.raw) if chunk.raw else {}
        chunk.id, chunk.created = self._id, self._created
        chunk.skipped, self._skipped = self._skipped, 0
        value["id"], value["created"] = self._id, self._created
        if chunk.usage is not None:
            chunk.usage = value["usage"] = self._usage(chunk.usage)
        if chunk.choices:
            said = (value.get("choices") or [{}])[0]
            _reword(chunk.choices[0], said, text)
        if chunk.raw:
            chunk.raw = _encode(value)
        return chunk


def _has_more(choice: ChunkChoice) -> bool:
    """True for what comes after the text, or instead of it."""
    delta = choice.delta
    return bool(delta.tool_calls or delta.refusal or choice.finish_reason)


def _reword(choice: ChunkChoice, said: dict[str, Any], text: str) -> None:
    """Give a choice (and its JSON) a new text, without the role that was sent before."""
    delta, value = choice.delta, said.get("delta") or {}
    if text != (delta.content or ""):  # they would be of other words
        choice.logprobs = said["logprobs"] = None
    for name in ("role", *_REASONING):
        setattr(delta, name, None)
        value.pop(name, None)
    if text or delta.content:
        delta.content = value["content"] = text
    said["delta"] = value
