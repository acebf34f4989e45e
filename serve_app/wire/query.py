"""The terms of a query (what stands after the `?`), read in one way for all routes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import parse_qsl

from serve_app.core.errors import BadRequest

_MOST: Final = 16
_LONGEST: Final = 256
"""Characters of a value."""


def read_terms(query: bytes, known: Sequence[str], *, blank: bool = False) -> dict[str, str]:
    """The terms of a query; of a repeated one the last counts.

    Args:
        known: names there may be.
        blank: keep those that are empty; else they count as left out.

    Raises:
        BadRequest: it cannot be read, or names the term that is unknown or too long.
    """
    try:
        text = query.decode("ascii")
        pairs = parse_qsl(text, blank, max_num_fields=_MOST, errors="strict")
    except ValueError:
        raise BadRequest("The query cannot be read") from None
    for name, value in pairs:
        shown = name[:64]
        if name not in known:
            raise BadRequest(
                f"There is no {shown!r} here; there are {', '.join(known)}", param=shown
            )
        if len(value) > _LONGEST:
            raise BadRequest(f"{name} has {len(value)} characters; at most {_LONGEST}", param=name)
    return dict(pairs)
