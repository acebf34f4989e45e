"""Errors in OpenAI's shape."""

from __future__ import annotations

import msgspec

from serve_app.core.errors import GatewayError


class OpenAIErrors:
    """`{"error": {...}}` as OpenAI's clients expect it."""

    def problem(self, error: GatewayError, request_id: str) -> bytes:
        return msgspec.json.encode(
            {
                "error": {
                    "message": error.message,
                    "type": error.type,
                    "code": error.code,
                    "param": error.param,
                    "request_id": request_id,
                }
            }
        )

    def problem_event(self, error: GatewayError, request_id: str) -> bytes:
        return b"data: " + self.problem(error, request_id) + b"\n\n"
