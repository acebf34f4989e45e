"""An error as a value: every reader of a flight raises its own, and it travels to other replicas.

An exception object that several raise collects all their tracebacks, and with them what their
requests hold.
"""

from __future__ import annotations

from msgspec import Struct

from serve_app.core import errors
from serve_app.core.errors import GatewayError

_KINDS = {
    kind.__name__: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, GatewayError)
}


class Failure(Struct, frozen=True, gc=False, array_like=True):
    kind: str
    """Name of the class."""
    message: str
    code: str
    param: str | None = None
    retry_after_s: float | None = None

    @classmethod
    def of(cls, error: GatewayError) -> Failure:
        kind = next(k.__name__ for k in type(error).__mro__ if k.__name__ in _KINDS)
        return cls(kind, error.message, error.code, error.param, error.retry_after_s)

    def error(self) -> GatewayError:
        """A new error, equal to the one that there was."""
        kind = _KINDS.get(self.kind, GatewayError)
        return kind(
            self.message, param=self.param, code=self.code, retry_after_s=self.retry_after_s
        )
