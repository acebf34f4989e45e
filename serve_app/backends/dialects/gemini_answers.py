"""Gemini's candidates as canonical ones: whole replies, and the events of streams."""

from __future__ import annotations

from msgspec import Struct

from serve_app.backends.base import AttemptFailed, Call
from serve_app.backends.dialects.canonical_reply import Answer, Pen, tool_call, whole
from serve_app.backends.dialects.canonical_request import Json
from serve_app.backends.dialects.gemini_contents import with_signature
from serve_app.backends.dialects.gemini_reply import (
    Candidate,
    Counts,
    FunctionCall,
    Part,
    call_id,
    finish_reason,
    logprobs_of,
    read,
)
from serve_app.core.types import Chunk, Delta


def decode_whole(body: bytes, call: Call, created: int, secret: str | None) -> Chunk:
    """A response as a whole chunk.

    Raises:
        AttemptFailed: it is an error, or no answer.
    """
    response = read(body, secret)
    id_ = response.response_id or call.request_id
    answers = [_answer(candidate, id_) for candidate in response.candidates or ()]
    if not answers:
        raise AttemptFailed("transient", "the provider's answer is empty", code="malformed")
    usage = response.usage_metadata.usage() if response.usage_metadata is not None else None
    return whole(id_, response.model_version or call.model, created, answers, usage)


def _answer(candidate: Candidate, reply_id: str) -> Answer:
    parts = candidate.parts
    found_calls = [(part, part.function_call) for part in parts if part.function_call is not None]
    calls = [
        _call(part, call, call_id(call, reply_id, candidate.index, at))
        for at, (part, call) in enumerate(found_calls)
    ]
    texts = "".join(p.text for p in parts if p.text and not p.thought)
    said: Json = {"content": texts or (None if calls else "")}
    if thoughts := "".join(p.text for p in parts if p.text and p.thought):
        said["reasoning_content"] = thoughts
    if calls:
        said["tool_calls"] = calls
    signatures = [p.thought_signature for p in parts if p.function_call is None]
    if extra := with_signature(next(filter(None, signatures), None)):
        said["extra_content"] = extra
    found = candidate.logprobs_result
    logprobs = logprobs_of(found) if found is not None else None
    reason = finish_reason(candidate, has_calls=bool(calls))
    if reason is None:
        raise AttemptFailed("transient", "the answer broke off", code="truncated")
    return Answer(reason, said, candidate.index, logprobs)


def _call(part: Part, call: FunctionCall, id_: str) -> Json:
    return tool_call(id_, call.name, call.arguments, with_signature(part.thought_signature))


class _Progress(Struct):
    """One candidate of a stream so far."""

    calls: int = 0
    is_finished: bool = False


class GeminiDecoder:
    """See `StreamDecoder`. Gemini has no sign of the end: `ended` stays False.

    Args:
        created: Unix seconds.
    """

    __slots__ = ("_call", "_candidates", "_counts", "_created", "_pen", "_secret", "ended")

    def __init__(self, call: Call, created: int, secret: str | None) -> None:
        self.ended = False
        self._call = call
        self._created = created
        self._secret = secret
        self._pen: Pen | None = None
        self._counts: Counts | None = None
        self._candidates: dict[int, _Progress] = {}

    def chunks(self, data: bytes) -> list[Chunk]:
        """See `StreamDecoder.chunks`."""
        response = read(data, self._secret)
        if self._pen is None:
            id_ = response.response_id or self._call.request_id
            self._pen = Pen(id_, response.model_version or self._call.model, self._created)
        self._counts = response.usage_metadata or self._counts
        chunks: list[Chunk] = []
        for candidate in response.candidates or ():
            chunks += self._say(self._pen, candidate)
        if self._counts is not None and self._is_whole():
            chunks.append(self._pen.usage(self._counts.usage()))
            self._counts = None  # told once
        return chunks

    def _say(self, pen: Pen, candidate: Candidate) -> list[Chunk]:
        index = candidate.index
        chunks: list[Chunk] = []
        progress = self._candidates.get(index)
        if progress is None:
            progress = self._candidates[index] = _Progress()
            chunks.append(pen.delta(Delta(role="assistant", content=""), index))
        for part in candidate.parts:
            chunks += _part(pen, part, index, progress)
        if candidate.logprobs_result is not None:
            chunks.append(pen.logprobs(logprobs_of(candidate.logprobs_result), index))
        reason = finish_reason(candidate, has_calls=progress.calls > 0)
        if reason is not None and not progress.is_finished:
            progress.is_finished = True
            chunks.append(pen.finish(reason, index))
        return chunks

    def _is_whole(self) -> bool:
        finished = sum(progress.is_finished for progress in self._candidates.values())
        return finished >= max(self._call.choices, len(self._candidates), 1)


def _part(pen: Pen, part: Part, index: int, progress: _Progress) -> list[Chunk]:
    extra = with_signature(part.thought_signature)
    if (call := part.function_call) is not None:
        at = progress.calls
        progress.calls += 1
        id_ = call_id(call, pen.id, index, at)
        return [pen.tool_call(at, id_, call.name, call.arguments, index=index, extra=extra)]
    chunks: list[Chunk] = []
    if part.text:
        said = Delta(reasoning_content=part.text) if part.thought else Delta(content=part.text)
        chunks.append(pen.delta(said, index))
    if extra is not None:
        chunks.append(pen.delta(Delta(), index, {"extra_content": extra}))
    return chunks
