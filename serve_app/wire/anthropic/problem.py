"""Errors in Anthropic's shape."""

from __future__ import annotations

import msgspec

from serve_app.core.errors import GatewayError

_BY_STATUS = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


class AnthropicErrors:
    """`{"type": "error", "error": {"type", "message"}, "request_id"}`."""

    def problem(self, error: GatewayError, request_id: str) -> bytes:
        other = "api_error" if error.status >= 500 else "invalid_request_error"
        kind = _BY_STATUS.get(error.status, other)
        return msgspec.json.encode(
            {
                "type": "error",
                "error": {"type": kind, "message": error.message},
                "request_id": request_id,
            }
        )

    def problem_event(self, error: GatewayError, request_id: str) -> bytes:
        return b"event: error\ndata: " + self.problem(error, request_id) + b"\n\n"
