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

_OF_ANOTHER_CANDIDATE = frozenset(
    {"model_not_found", "model_not_supported", "model_decommissioned", "insufficient_quota"}
)

# Words by which providers say that a prompt does not fit. OpenAI and most others set the code;
# vLLM, DashScope, Gemini, DeepSeek and llama.cpp only say so.
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
    return Refusal(
        message=_text(error.get("message") or error.get("detail"), 4 * MAX_MESSAGE),
        type=_text(error.get("type"), 64),
        code=_text(error.get("code"), 64),
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
    refusal: Refusal,
    *,
    secret: str | None = None,
    retry_after_s: float | None = None,
) -> AttemptFailed:
    """What a refusal with this HTTP status means for the plan.

    Args:
        secret: our key at this provider; never shown, should the provider repeat it.
    """
    if status in (401, 403):  # providers repeat parts of the key here: their words stay here
        return AttemptFailed(
            "candidate", "the provider refused our credentials", status=status, code=AUTH
        )
    code = CONTEXT if _is_too_long(status, refusal) else _clean(refusal.code, secret)
    param = refusal.param and _clean(refusal.param, secret)
    message = _clean(refusal.message, secret) or f"the provider answered HTTP {status}"
    kind = _kind(status, code, refusal.type)
    return AttemptFailed(
        kind, message, status=status, code=code, param=param, retry_after_s=retry_after_s
    )


def failure_inside(refusal: Refusal, *, secret: str | None = None) -> AttemptFailed:
    """What an error object inside a 200 means: its code or type stands for the status."""
    status = int(refusal.code) if refusal.code.isdecimal() and len(refusal.code) == 3 else 0
    if not 400 <= status <= 599:
        names = (refusal.code.lower(), refusal.type.lower())
        status = next((_STATUS_OF_TYPE[n] for n in names if n in _STATUS_OF_TYPE), 500)
        if CONTEXT in names or "model_not_found" in names:
            status = 400
    return failure(status, refusal, secret=secret)


def _kind(status: int, code: str, type_: str) -> FailureKind:
    if code == CONTEXT or code in _OF_ANOTHER_CANDIDATE or type_ in _OF_ANOTHER_CANDIDATE:
        return "candidate"
    if status in (408, 409, 425, 429) or status >= 500:
        return "transient"
    return "caller" if status in (400, 422) else "candidate"


def _is_too_long(status: int, refusal: Refusal) -> bool:
    if refusal.code == CONTEXT:
        return True
    words = refusal.message.lower()
    return status in (400, 413, 422) and any(known in words for known in _CONTEXT_WORDS)


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
