"""How urgent a request is, as its caller says: people wait for an answer, or a program does."""

from __future__ import annotations

from typing import Final

from serve_app.core.errors import BadRequest
from serve_app.core.types import Priority

HEADER: Final = b"x-serve-app-priority"

_KNOWN: Final[dict[str, Priority]] = {"interactive": "interactive", "batch": "batch"}


def priority_of(value: str | None) -> Priority:
    """The class that a request's header asks for; `interactive` without one.

    Raises:
        BadRequest: there is no such class.
    """
    if value is None:
        return "interactive"
    found = _KNOWN.get(value.strip().lower())
    if found is None:
        name = HEADER.decode()
        raise BadRequest(f"{name} must be one of {', '.join(_KNOWN)}", param=name)
    return found
