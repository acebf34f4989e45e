"""What a provider's refusal means: its words and status in, one kind of failure out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from serve_app.backends import provider_words as known
from serve_app.backends.base import AttemptFailed, FailureKind

MAX_MESSAGE = 500
"""Characters of a provider's message that are passed on."""

AUTH = "provider_auth"
CONTEXT = "context_length_exceeded"
CONTENT = "content_policy_violation"
QUOTA = "insufficient_quota"
MISSING_MODEL = "model_not_found"

_KIND_OF_CODE: dict[str, FailureKind] = {
    CONTEXT: "candidate",
    CONTENT: "content",
    QUOTA: "candidate",
    MISSING_MODEL: "candidate",
}

_WORDS_COUNT = (400, 402, 403, 413, 422, 451)
"""At any other status words say nothing: an overloaded model is not a long prompt."""

_OF_THE_REQUEST = known.CONTEXT_CODES | known.CONTENT_CODES | known.MISSING_MODEL_CODES

_decode = msgspec.json.Decoder().decode


class Refusal(Struct, frozen=True, gc=False):
    """A provider's error object, whatever shape it had."""

    message: str = ""
    type: str = ""
    code: str = ""
    param: str | None = None
    reason: str = ""
    """A second code, more exact than the first."""
    retry_after_s: float | None = None
    """Gemini says it in the body only."""

    def names(self) -> frozenset[str]:
        return frozenset({self.code.lower(), self.type.lower(), self.reason.lower()} - {""})


def read_refusal(body: bytes) -> Refusal | None:
    """The error object in a body or an event, or None if there is none.

    Knows `{"error": {...}}`, `{"error": "..."}`, the same in a list (Gemini), vLLM's
    `{"object": "error", ...}`, `{"detail": ...}` and a bare `{"message": "..."}`.
    """
    try:
        value = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if isinstance(value, list) and len(value) == 1:
        [value] = value
    if not isinstance(value, dict):
        return None
    error = value.get("error")
    if error is None and _is_bare(value):
        error = value
    if isinstance(error, str):
        return Refusal(message=_text(error, 4 * MAX_MESSAGE))
    return _from_object(error) if isinstance(error, dict) and error else None


def _is_bare(value: dict[str, Any]) -> bool:
    if "choices" in value:
        return False
    return value.get("object") == "error" or "detail" in value or _is_text(value.get("message"))


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _from_object(error: dict[str, Any]) -> Refusal:
    param = error.get("param")
    return Refusal(
        message=_text(error.get("message") or error.get("detail"), 4 * MAX_MESSAGE),
        type=_text(error.get("type") or error.get("status"), 64),
        code=_text(error.get("code"), 64),
        param=None if param is None else _text(param, 200),
        reason=_reason(error),
        retry_after_s=_retry_delay_s(error),
    )


def _reason(error: dict[str, Any]) -> str:
    """Azure's `innererror.code`, or the `reason` of a Google detail."""
    inner = error.get("innererror")
    if isinstance(inner, dict):
        return _text(inner.get("code"), 64)
    return next((_text(detail["reason"], 64) for detail in _details(error, "reason")), "")


def _retry_delay_s(error: dict[str, Any]) -> float | None:
    for detail in _details(error, "retryDelay"):
        try:
            seconds = float(str(detail["retryDelay"])[:32].removesuffix("s"))
        except ValueError:
            return None
        return min(max(seconds, 0.0), 3600.0)
    return None


def _details(error: dict[str, Any], name: str) -> Iterable[dict[str, Any]]:
    details = error.get("details")
    found = details if isinstance(details, list) else ()
    return (detail for detail in found if isinstance(detail, dict) and name in detail)


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
        refusal: None: no error object came, as from a proxy or a wrong address.
        secret: our key at this provider; never shown, should the provider repeat it.
        retry_after_s: as the headers asked.
    """
    if refusal is None:
        return _wordless(status, retry_after_s)
    code = _meaning(status, refusal)
    if code == AUTH:
        return _unauthorized(status)
    if retry_after_s is None:
        retry_after_s = refusal.retry_after_s
    return AttemptFailed(
        _KIND_OF_CODE.get(code) or _kind(status),
        _clean(refusal.message, secret) or f"the provider answered HTTP {status}",
        status=status,
        code=code or _clean(refusal.code, secret),
        param=refusal.param and _clean(refusal.param, secret),
        retry_after_s=retry_after_s,
    )


def failure_inside(refusal: Refusal, *, secret: str | None = None) -> AttemptFailed:
    """What an error object inside a 200 means: its code or type stands for the status."""
    status = int(refusal.code) if refusal.code.isdecimal() and len(refusal.code) == 3 else 0
    if not 400 <= status <= 599:
        said = (refusal.code.lower(), refusal.type.lower())
        status = next((known.STATUS_OF_TYPE[n] for n in said if n in known.STATUS_OF_TYPE), 500)
        if refusal.names() & _OF_THE_REQUEST:
            status = 400
    return failure(status, refusal, secret=secret)


def _wordless(status: int, retry_after_s: float | None) -> AttemptFailed:
    """A status alone. Neither a 403 nor a 404 without words need be the provider's own."""
    if status == 401:
        return _unauthorized(status)
    kind = "candidate" if status == 404 else _kind(status)
    message = f"the provider answered HTTP {status}"
    return AttemptFailed(kind, message, status=status, retry_after_s=retry_after_s)


def _unauthorized(status: int) -> AttemptFailed:
    """Providers repeat parts of the key here: their words stay here."""
    return AttemptFailed(
        "candidate", "the provider refused our credentials", status=status, code=AUTH
    )


def _meaning(status: int, refusal: Refusal) -> str:
    """Our code for what every provider calls otherwise; empty: none of these."""
    names = refusal.names()
    words = refusal.message.lower() if status in _WORDS_COUNT else ""
    if names & known.CONTENT_CODES or _says(words, known.CONTENT_WORDS):
        return CONTENT
    if names & known.CONTEXT_CODES or _says(words, known.CONTEXT_WORDS):
        return CONTEXT
    if status == 402 or names & known.QUOTA_CODES or _says(words, known.QUOTA_WORDS):
        return QUOTA
    if names & known.MISSING_MODEL_CODES or _is_elsewhere(status, refusal):
        return MISSING_MODEL
    if status in (401, 403) or names & known.KEY_CODES or _says(words, known.KEY_WORDS):
        return AUTH
    return ""


def _says(words: str, phrases: tuple[str, ...]) -> bool:
    return bool(words) and any(phrase in words for phrase in phrases)


def _is_elsewhere(status: int, refusal: Refusal) -> bool:
    """A model, a deployment or an address that is not there: no fault of the request's."""
    if status != 404:
        return False
    words = refusal.message.lower()
    return words in ("", "not found") or _says(words, known.MISSING_MODEL_WORDS)


def _kind(status: int) -> FailureKind:
    if status in (408, 409, 425, 429) or status >= 500:
        return "transient"
    return "caller" if status in (400, 404, 422) else "candidate"


def _clean(text: str, secret: str | None) -> str:
    """Without our key, and short. The key goes first: a cut must not leave half of it."""
    if secret and secret in text:
        text = text.replace(secret, "[key]")
    return text[:MAX_MESSAGE]
