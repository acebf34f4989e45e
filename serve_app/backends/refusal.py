"""What a provider's refusal means: its words and status in, one kind of failure out."""

from __future__ import annotations

import math
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec
from msgspec import Struct

from serve_app.backends.base import AttemptFailed, FailureKind

MAX_MESSAGE = 500
"""Characters of a provider's message that are passed on."""

MAX_RETRY_AFTER_S = 86_400.0

AUTH = "provider_auth"
CONTEXT = "context_length_exceeded"
CONTENT = "content_policy_violation"
QUOTA = "insufficient_quota"

_OF_ANOTHER_CANDIDATE = frozenset(
    {
        "model_not_found",
        "model_not_supported",
        "model_decommissioned",
        "deploymentnotfound",
        "not_found_error",
        QUOTA,
    }
)
"""Codes and types, in lower case."""

_QUOTA_WORDS = (
    "exceeded your current quota",
    "insufficient balance",
    "arrearage",
    "insufficient_quota",
)

_CONTENT_CODES = frozenset(
    {
        "content_filter",
        "content_policy_violation",
        "responsibleaipolicyviolation",
        "data_inspection_failed",
        "datainspectionfailed",
        "1301",
        "prohibited_content",
        "safety",
        "moderation_blocked",
        "sensitive_content",
    }
)
"""Codes and types of content-policy refusals, in lower case: OpenAI, Azure, Moonshot; DashScope;
Zhipu; Gemini; others."""

_CONTENT_WORDS = (
    "content exists risk",
    "content management policy",
    "content policy",
    "inappropriate content",
    "blocked by safety",
    "flagged by moderation",
    "was flagged as potentially violating",
)
"""DeepSeek, Azure, OpenAI, DashScope, Gemini, Mistral and Together only say so."""

# Words by which providers say that a prompt does not fit. OpenAI and most others set the code;
# vLLM, DashScope, Gemini, DeepSeek, Anthropic, Moonshot, Mistral, Zhipu and llama.cpp only say so.
_CONTEXT_CODES = frozenset({CONTEXT, "1261", "string_above_max_length"})
_CONTEXT_WORDS = (
    "context length",
    "context window",
    "context size",
    "maximum context",
    "max_model_len",
    "prompt is too long",
    "input is too long",
    "range of input length",
    "exceeds the maximum number of tokens",
    "reduce the length of the messages",
    "exceeded model token limit",
    "too many tokens",
    "too large for model",
    "prompt exceeds max length",
)

_STATUS_OF_TYPE = {
    "invalid_request_error": 400,
    "badrequesterror": 400,
    "bad_request": 400,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "authenticationerror": 401,
    "permission_error": 403,
    "permission_denied": 403,
    "not_found_error": 404,
    "notfounderror": 404,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "requests": 429,
    "tokens": 429,
    "insufficient_quota": 429,
    "overloaded_error": 503,
}
"""HTTP status of an error object that came inside a 200; whatever is not here is a 500."""

_decode = msgspec.json.Decoder().decode


class Refusal(Struct, frozen=True, gc=False):
    """A provider's error object, whatever shape it had."""

    message: str = ""
    type: str = ""
    code: str = ""
    param: str | None = None


def read_refusal(body: bytes) -> Refusal | None:
    """The error object in a body or an event, or None if there is none.

    Knows `{"error": {...}}`, `{"error": "..."}`, vLLM's `{"object": "error", ...}` and
    `{"detail": ...}`.
    """
    try:
        value = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    if isinstance(value, list) and len(value) == 1:  # Gemini's errors of a stream
        value = value[0]
    if not isinstance(value, dict):
        return None
    error = value.get("error")
    if error is None and (value.get("object") == "error" or "detail" in value):
        error = value
    if isinstance(error, str):
        return Refusal(message=error)
    return _from_object(error) if isinstance(error, dict) and error else None


def _from_object(error: dict[str, Any]) -> Refusal:
    param = error.get("param")
    inner = error.get("innererror")
    code = inner.get("code") if isinstance(inner, dict) else None
    return Refusal(
        message=_text(error.get("message") or error.get("detail"), 4 * MAX_MESSAGE),
        type=_text(error.get("type") or error.get("status"), 64),
        code=_text(code or error.get("code"), 64),
        param=None if param is None else _text(param, 200),
    )


def _text(value: object, limit: int) -> str:
    """A field of unknown type as one line of text."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else str(value)
    return " ".join(text[:limit].split())


def failure(
    status: int,
    refusal: Refusal | None,
    *,
    secret: str | None = None,
    retry_after_s: float | None = None,
) -> AttemptFailed:
    """What a refusal with this HTTP status means for the plan.

    Args:
        secret: our key at this provider; never shown, should the provider repeat it.
    """
    if refusal is None:
        kind: FailureKind = "candidate" if status == 404 else _kind(status, "", "")
        message = f"the provider answered HTTP {status}"
        return AttemptFailed(kind, message, status=status, retry_after_s=retry_after_s)
    code = _meaning(status, refusal) or _clean(refusal.code, secret)
    if status in (401, 403) and code != CONTENT:
        # Providers repeat parts of the key here: their words stay here.
        return AttemptFailed(
            "candidate", "the provider refused our credentials", status=status, code=AUTH
        )
    param = refusal.param and _clean(refusal.param, secret)
    message = _clean(refusal.message, secret) or f"the provider answered HTTP {status}"
    return AttemptFailed(
        _kind(status, code, refusal.type),
        message,
        status=status,
        code=code,
        param=param,
        retry_after_s=retry_after_s,
    )


def _meaning(status: int, refusal: Refusal) -> str:
    """Our code for what every provider calls otherwise; empty: none of these."""
    names = {refusal.code.lower(), refusal.type.lower()}
    words = refusal.message.lower()
    if _CONTENT_CODES & names or (
        status in (400, 403, 422) and any(known in words for known in _CONTENT_WORDS)
    ):
        return CONTENT
    if _CONTEXT_CODES & names or (
        status in (400, 413, 422) and any(known in words for known in _CONTEXT_WORDS)
    ):
        return CONTEXT
    if status in (402, 429) and (QUOTA in names or any(known in words for known in _QUOTA_WORDS)):
        return QUOTA
    return ""


def failure_inside(refusal: Refusal, *, secret: str | None = None) -> AttemptFailed:
    """What an error object inside a 200 means: its code or type stands for the status."""
    status = int(refusal.code) if refusal.code.isdecimal() and len(refusal.code) == 3 else 0
    if not 400 <= status <= 599:
        names = (refusal.code.lower(), refusal.type.lower())
        status = next((_STATUS_OF_TYPE[n] for n in names if n in _STATUS_OF_TYPE), 500)
        if CONTEXT in names or "model_not_found" in names or _CONTENT_CODES & {*names}:
            status = 400
    return failure(status, refusal, secret=secret)


def _kind(status: int, code: str, type_: str) -> FailureKind:
    if code == CONTENT:
        return "content"
    if code == CONTEXT or {code.lower(), type_.lower()} & _OF_ANOTHER_CANDIDATE:
        return "candidate"
    if status in (408, 409, 425, 429) or status >= 500:
        return "transient"
    return "caller" if status in (400, 404, 422) else "candidate"


def _clean(text: str, secret: str | None) -> str:
    """Without our key, and short. The key goes first: a cut must not leave half of it."""
    if secret and secret in text:
        text = text.replace(secret, "[key]")
    return text[:MAX_MESSAGE]


def read_retry_after(value: str | None, wall_s: float) -> float | None:
    """Seconds of a Retry-After header (a number or an HTTP date), None if it says nothing."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        seconds = _unix_s(value) - wall_s
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S) if math.isfinite(seconds) else None


def _unix_s(http_date: str) -> float:
    try:
        date = parsedate_to_datetime(http_date)
    except (ValueError, OverflowError):
        return math.nan
    return date.replace(tzinfo=date.tzinfo or UTC).timestamp()
