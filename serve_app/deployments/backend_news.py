"""What crosses a backend's hop: calls one way, what each has to say the other."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from serve_app.backends.base import AttemptFailed, Call, FailureKind
from serve_app.core.types import Chunk
from serve_app.core.vital import Headroom


class Failure(Struct, frozen=True, gc=False):
    """An `AttemptFailed` as a value."""

    kind: FailureKind
    message: str
    status: int
    code: str
    param: str | None
    retry_after_s: float | None

    @classmethod
    def of(cls, error: AttemptFailed) -> Failure:
        return cls(
            error.kind, error.message, error.status, error.code, error.param, error.retry_after_s
        )

    def error(self) -> AttemptFailed:
        return AttemptFailed(
            self.kind,
            self.message,
            status=self.status,
            code=self.code,
            param=self.param,
            retry_after_s=self.retry_after_s,
        )


class News(Struct, gc=False):
    """What one call of a batch has to say."""

    call: int
    chunks: list[Chunk] = []
    ended: bool = False
    failure: Failure | None = None
    headroom: Headroom | UnsetType | None = UNSET
    """What the provider's rate limits still allow; said with the first words and at the end."""


class Batch(Struct, frozen=True):
    """Calls that travel together; `ids` name them for cancelling."""

    ids: list[str]
    calls: list[Call]
