"""What the routes of tasks take in their queries."""

from __future__ import annotations

import re
from typing import Final, Literal, get_args

from msgspec import Struct

from serve_app.core.errors import BadRequest
from serve_app.wire.checks import whole_number
from serve_app.wire.query import read_terms

State = Literal["pending", "delayed", "running", "succeeded", "failed", "cancelled", "dead"]
STATES: Final[tuple[State, ...]] = get_args(State)
PURGEABLE: Final = tuple(state for state in STATES if state != "running")
MAX_PAGE: Final = 1000
MAX_AGE_S: Final = 366 * 86400
CURSOR: Final = r"[0-9]{1,16}"
PURGE_CURSOR: Final = r"[a-z]{1,16}:[0-9]{1,16}"


class TaskQuery(Struct, frozen=True):
    """`GET /v1/tasks`."""

    state: State | None = None
    tenant: str = ""
    """Empty: the caller's own; an admin's: all."""
    cursor: str = ""
    limit: int = 100


class PurgeQuery(Struct, frozen=True):
    """`DELETE /v1/tasks`."""

    state: State | None = None
    """None: every one in which a task has ended."""
    older_than_s: int = 0
    tenant: str = ""
    """Empty: of all."""
    cursor: str = ""


def decode_query(query: bytes) -> TaskQuery:
    """
    Raises:
        BadRequest: names the term; so for the other one here.
    """
    terms = read_terms(query, ("state", "tenant", "cursor", "limit"), blank=True)
    return TaskQuery(
        _state(terms, STATES),
        terms.get("tenant", ""),
        _cursor(terms, CURSOR),
        whole_number(terms.get("limit", "100"), "limit", MAX_PAGE),
    )


def decode_purge(query: bytes) -> PurgeQuery:
    """Neither a state nor an age means nothing: who means all that ended says `older_than_s=0`."""
    terms = read_terms(query, ("state", "older_than_s", "tenant", "cursor"), blank=True)
    if not terms.keys() & {"state", "older_than_s"}:
        raise BadRequest("Say which tasks are to go: state, older_than_s, or both")
    age = terms.get("older_than_s", "0")
    return PurgeQuery(
        _state(terms, PURGEABLE),
        0 if age == "0" else whole_number(age, "older_than_s", MAX_AGE_S),
        terms.get("tenant", ""),
        _cursor(terms, PURGE_CURSOR),
    )


def _state(terms: dict[str, str], allowed: tuple[State, ...]) -> State | None:
    state = terms.get("state")
    if state is None:
        return None
    if state not in allowed:
        raise BadRequest(f"state is one of {', '.join(allowed)}", param="state")
    return state


def _cursor(terms: dict[str, str], pattern: str) -> str:
    cursor = terms.get("cursor", "")
    if cursor and re.fullmatch(pattern, cursor) is None:
        raise BadRequest("cursor is the `next` of the page before", param="cursor")
    return cursor
