"""A model replica's refusal, as the JSON body that stands in for an answer."""

from __future__ import annotations

import msgspec


class Problem(Exception):
    """No answer, and why.

    Args:
        message: for the caller; holds nothing of the request's content.
        status: the HTTP status that fits.
        code: machine-readable; `context_length_exceeded` is OpenAI's name.
        param: the request field at fault.
    """

    def __init__(self, message: str, *, status: int, code: str, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.param = param

    def body(self) -> bytes:
        """`{"error": {...}}` in OpenAI's shape, with `status` beside OpenAI's fields.

        A handle carries no status line, so the status travels in the body.
        """
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        error = {
            "message": self.message,
            "type": kind,
            "param": self.param,
            "code": self.code,
            "status": self.status,
        }
        return msgspec.json.encode({"error": error})
