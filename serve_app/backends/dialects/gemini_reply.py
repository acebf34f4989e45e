"""Gemini's replies as values: a `GenerateContentResponse` in, what it says of candidates out."""

from __future__ import annotations

import hashlib

import msgspec
from msgspec import Raw, Struct, field

from serve_app.backends.base import AttemptFailed, FailureKind
from serve_app.backends.dialects.canonical_request import NOTHING, Json, is_there
from serve_app.backends.refusal import CONTENT, failure_inside, read_refusal
from serve_app.core.types import Usage

_FINISH = {"STOP": "stop", "MAX_TOKENS": "length", "CONTINUATION": "length"}
_FILTERED = frozenset(
    {
        "SAFETY",
        "RECITATION",
        "LANGUAGE",
        "BLOCKLIST",
        "PROHIBITED_CONTENT",
        "SPII",
        "IMAGE_SAFETY",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_RECITATION",
        "ESCALATION",
        "PUP_LIMITED_DISABLED",
        "MODEL_ARMOR",
    }
)


class FunctionCall(Struct):
    name: str = ""
    id: str | None = None
    args: Raw = NOTHING

    @property
    def arguments(self) -> str:
        return bytes(self.args).decode() if is_there(self.args) else "{}"


class Part(Struct, rename="camel"):
    text: str | None = None
    thought: bool = False
    thought_signature: str | None = None
    function_call: FunctionCall | None = None


class Content(Struct):
    parts: list[Part] | None = None


class Token(Struct, rename="camel"):
    token: str = ""
    log_probability: float = 0.0


class Top(Struct):
    candidates: list[Token] = field(default_factory=list)


class Logprobs(Struct, rename="camel"):
    chosen_candidates: list[Token] = field(default_factory=list)
    top_candidates: list[Top] = field(default_factory=list)


class Candidate(Struct, rename="camel"):
    content: Content | None = None
    finish_reason: str | None = None
    finish_message: str | None = None
    index: int = 0
    logprobs_result: Logprobs | None = None

    @property
    def parts(self) -> list[Part]:
        return (self.content.parts if self.content is not None else None) or []


class PromptFeedback(Struct, rename="camel"):
    block_reason: str | None = None
    block_reason_message: str | None = None


class Counts(Struct, rename="camel"):
    """Tokens: thoughts are not among the candidates' but cost the same."""

    prompt_token_count: int = 0
    candidates_token_count: int = 0
    thoughts_token_count: int = 0
    tool_use_prompt_token_count: int = 0
    cached_content_token_count: int = 0

    def usage(self) -> Usage:
        prompt = self.prompt_token_count + self.tool_use_prompt_token_count
        completion = self.candidates_token_count + self.thoughts_token_count
        cached, thought = self.cached_content_token_count, self.thoughts_token_count
        return Usage(
            prompt_tokens=prompt,
            completion_tokens=completion,
            total_tokens=prompt + completion,
            prompt_tokens_details={"cached_tokens": cached} if cached else None,
            completion_tokens_details={"reasoning_tokens": thought} if thought else None,
        )


class Response(Struct, rename="camel"):
    """A whole reply, or one event of a stream."""

    candidates: list[Candidate] | None = None
    prompt_feedback: PromptFeedback | None = None
    usage_metadata: Counts | None = None
    model_version: str | None = None
    response_id: str | None = None


_decode = msgspec.json.Decoder(Response).decode


def read(data: bytes, secret: str | None) -> Response:
    """A response.

    Raises:
        AttemptFailed: it is an error, the prompt was blocked, or it is no response.
    """
    try:
        response = _decode(data)
        if response.candidates or response.usage_metadata is not None or _blocked(response):
            _check(response)
            return response
        cause: Exception | None = None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        cause = error
    if (refusal := read_refusal(data)) is not None:
        raise failure_inside(refusal, secret=secret) from None
    raise AttemptFailed(
        "transient", "the provider's answer is no content", code="malformed"
    ) from cause


def _blocked(response: Response) -> str | None:
    feedback = response.prompt_feedback
    return feedback.block_reason if feedback is not None else None


def _check(response: Response) -> None:
    reason = _blocked(response)
    if reason is None or response.candidates:
        return
    said = response.prompt_feedback and response.prompt_feedback.block_reason_message
    message = said or f"Gemini refused the prompt: {reason[:60]}"
    raise AttemptFailed("content", message, status=200, code=CONTENT)


def finish_reason(candidate: Candidate, *, has_calls: bool) -> str | None:
    """OpenAI's word for why a candidate ended, None if it has not.

    Raises:
        AttemptFailed: it ended because something went wrong; what there is of it is no answer.
    """
    reason = candidate.finish_reason
    if reason in (None, "FINISH_REASON_UNSPECIFIED"):
        return None
    if reason in _FILTERED:
        return "content_filter"
    if reason in _FINISH:
        return "tool_calls" if has_calls and reason == "STOP" else _FINISH[reason]
    kind: FailureKind = "candidate" if reason == "MISSING_THOUGHT_SIGNATURE" else "transient"
    raise AttemptFailed(kind, f"the answer ended by {reason[:60]}", status=200, code="broken")


def logprobs_of(found: Logprobs) -> Json:
    """OpenAI's `logprobs` of a choice."""
    tops = [top.candidates for top in found.top_candidates]
    tops += [[]] * (len(found.chosen_candidates) - len(tops))
    content = [
        {**_token(token), "top_logprobs": [_token(other) for other in top]}
        for token, top in zip(found.chosen_candidates, tops, strict=False)
    ]
    return {"content": content, "refusal": None}


def _token(token: Token) -> Json:
    return {
        "token": token.token,
        "logprob": token.log_probability,
        "bytes": list(token.token.encode()),
    }


def call_id(call: FunctionCall, reply_id: str, index: int, at: int) -> str:
    """A call's id. Calls mostly have none, and clients match results to calls by it, so it is
    made from the reply and the call's place in it."""
    if call.id:
        return call.id
    place = f"{reply_id}/{index}/{at}".encode("utf-8", "surrogatepass")
    return f"call_{hashlib.blake2b(place, digest_size=12).hexdigest()}"
