"""Tasks as their callers ask for them and see them.

{"message": "hello", "session_id": "abc", "webhook": "https://example.com/told"}
{"path": "/v1/chat/completions", "body": {"model": "auto", "messages": [...]}}
"""

from __future__ import annotations

from typing import Literal, TypeVar

import msgspec
from msgspec import Raw, Struct

from serve_app.core.errors import BadRequest
from serve_app.wire.checks import check_utf8, no_json, wrong_field

MAX_WAIT_S = 30
MAX_IDEMPOTENCY_CHARS = 255


class TaskTerms(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a task is to be done; what is not said is the policy's (`tasks`)."""

    webhook: str | None = None
    """An https address that is told of the end."""
    priority: Literal["high", "normal", "low"] = "normal"
    delay_s: float = 0.0
    """Not before so many seconds from now."""
    soft_limit_s: float | None = None
    """How long one try may take."""
    max_retries: int | None = None
    """Tries after the first one."""


class AsyncRequest(TaskTerms, frozen=True, kw_only=True):
    """A message to the agent that is answered later."""

    message: str
    session_id: str | None = None
    model: str = "auto"

    def body(self) -> bytes:
        """What `/agent/chat` would get."""
        named = {"message": self.message, "session_id": self.session_id, "model": self.model}
        return msgspec.json.encode(named)


class TaskRequest(TaskTerms, frozen=True, kw_only=True):
    """A request of any API that asks a model, to be answered later."""

    path: str
    body: Raw


_Asked = TypeVar("_Asked", AsyncRequest, TaskRequest)


def decode(body: bytes, kind: type[_Asked]) -> _Asked:
    """Check the body of a submission; what is to be done is not looked at.

    Raises:
        BadRequest: naming the field.
    """
    check_utf8(body)
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise wrong_field(error) from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise no_json(error) from None


def idempotency_key(value: str | None) -> str:
    """The header's value; empty without one.

    Raises:
        BadRequest: it is too long, or says nothing.
    """
    if value is None:
        return ""
    if not 1 <= len(value.strip()) <= MAX_IDEMPOTENCY_CHARS:
        raise BadRequest(
            f"Idempotency-Key has 1 to {MAX_IDEMPOTENCY_CHARS} characters", param="idempotency-key"
        )
    return value.strip()
