"""A file that a caller stored, or that a batch made."""

from __future__ import annotations

import secrets
from typing import Final, Literal

from msgspec import Struct

Purpose = Literal[
    "assistants", "batch", "batch_output", "fine-tune", "vision", "user_data", "evals"
]
"""As OpenAI's API has them; `batch_output` is what batches write."""

GIVEN: Final = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")
"""Purposes that an upload may have."""

MIN_EXPIRY_S: Final = 3600
MAX_EXPIRY_S: Final = 30 * 86_400
"""`expires_after.seconds`, as in OpenAI's API."""


class FileRecord(Struct, frozen=True, omit_defaults=True):
    """All but the content."""

    id: str
    tenant: str
    filename: str
    purpose: str
    bytes: int
    sha256: str
    """Of the content, in hexadecimal."""
    created_at: int
    """Unix seconds, as is the other."""
    expires_at: int = 0
    """0: it stays until it is deleted."""
    blob: str = ""
    """Name of its content among all that was ever written for it."""

    def is_over(self, now: float) -> bool:
        return bool(self.expires_at) and now >= self.expires_at


class FileQuery(Struct, frozen=True):
    """Which files are to be listed: those of a purpose (empty: all), after one, so many."""

    purpose: str = ""
    after: str = ""
    limit: int = 10_000
    newest_first: bool = True


class FilePage(Struct, frozen=True):
    records: list[FileRecord]
    has_more: bool


def new_id(prefix: str, now: float) -> str:
    """A name that nobody can guess, and that sorts by when it was made: `file-0198c0ffee...`.

    Args:
        now: Unix seconds.
    """
    return f"{prefix}{int(now * 1000):012x}{secrets.token_hex(10)}"
