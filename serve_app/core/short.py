"""Names from outside at a bounded length: the same one in the ledger and in the records."""

from __future__ import annotations

import hashlib
from typing import Final

_CHARS: Final = 128


def short(name: str) -> str:
    """A name of bounded length; a long one keeps its beginning and a digest."""
    if len(name) <= _CHARS:
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{name[:100]}~{digest[:16]}"
