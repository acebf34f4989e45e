"""Every error a caller or another room can meet, as one tree.

    GatewayError
    |- BadRequest            400  the caller's fault; `param` names the field
    |- Unauthorized          401
    |- Blocked               403  a filter rule or a permission refused it
    |- NotFound              404
    |- RequestTimeout        408  the request itself did not arrive in time
    |- Conflict              409  somebody else changed what the request is about
    |- TooLarge              413
    |- RateLimited           429  the message names the limit, `retry_after_s` when to come back
    |- BudgetSpent           429  so does this one, of a budget
    |- ClientGone            499  nobody is left to answer
    |- UpstreamFailed        502  every candidate failed; the message has a line each
    |- Overloaded            503  full, draining, or a part is away; `retry_after_s`
    |- DeadlineExceeded      504
    `- NotCached             504  the caller wanted a stored answer or none

`ingress/problems.py` is the only place that turns them into HTTP.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class GatewayError(Exception):
    """Base of the tree.

    Args:
        message: what happened and the way out, for the caller; never holds a secret.
        param: the request field at fault, as a path (`messages[0].role`).
        code: overrides the class's machine-readable code.
        retry_after_s: seconds after which trying again makes sense.
        headers: what else the response's head says.
    """

    status: ClassVar[int] = 500
    type: ClassVar[str] = "server_error"
    retryable: ClassVar[bool] = False
    """Whether the same may go well a little later."""
    code: str = "internal_error"

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after_s: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after_s = retry_after_s
        self.headers = headers or {}
        if code is not None:
            self.code = code

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.message!r}, code={self.code!r})"


class BadRequest(GatewayError):
    status = 400
    type = "invalid_request_error"
    code = "invalid_request"


class Unauthorized(GatewayError):
    status = 401
    type = "authentication_error"
    code = "invalid_api_key"


class Blocked(GatewayError):
    """A rule refused the request; the message names the rule, never the content."""

    status = 403
    type = "permission_error"
    code = "blocked_by_policy"


class NotFound(GatewayError):
    status = 404
    type = "invalid_request_error"
    code = "not_found"


class MethodNotAllowed(GatewayError):
    status = 405
    type = "invalid_request_error"
    code = "method_not_allowed"


class Conflict(GatewayError):
    status = 409
    type = "invalid_request_error"
    code = "conflict"


class RequestTimeout(GatewayError):
    status = 408
    type = "invalid_request_error"
    code = "request_timeout"


class TooLarge(GatewayError):
    status = 413
    type = "invalid_request_error"
    code = "request_too_large"


class RateLimited(GatewayError):
    status = 429
    type = "rate_limit_error"
    retryable = True
    code = "rate_limit_exceeded"


class BudgetSpent(GatewayError):
    """Trying again helps only when the budget's period is over."""

    status = 429
    type = "insufficient_quota"
    code = "budget_exceeded"


class ClientGone(GatewayError):
    status = 499
    type = "client_closed_request"
    code = "client_closed_request"


class UpstreamFailed(GatewayError):
    status = 502
    type = "upstream_error"
    retryable = True
    code = "all_backends_failed"


class Overloaded(GatewayError):
    status = 503
    type = "server_error"
    retryable = True
    code = "overloaded"


class DeadlineExceeded(GatewayError):
    status = 504
    type = "timeout_error"
    retryable = True
    code = "deadline_exceeded"


class NotCached(GatewayError):
    """`Cache-Control: only-if-cached`, and nothing is (RFC 9111, 5.2.1.7)."""

    status = 504
    type = "invalid_request_error"
    code = "not_cached"


class PolicyRejected(ValueError):
    """A policy or structure configuration that cannot be used; nothing of it was applied."""
