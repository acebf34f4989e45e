"""`GET /v1/trails/{id}`: what may be asked, and how a trail is shown."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

from serve_app.wire.checks import whole_number
from serve_app.wire.query import read_terms

MAX_WAIT_S: Final = 10


class TrailQuery(Struct, frozen=True):
    """`wait_s`: so long it is waited for; a trail is there about a second after its request.
    `tenant`: whose, for admins; empty: whoever's."""

    wait_s: int = 0
    tenant: str = ""


def decode_trail_query(query: bytes) -> TrailQuery:
    """
    Raises:
        BadRequest: names the parameter.
    """
    values = read_terms(query, ("wait_s", "tenant"))
    wait = values.get("wait_s")
    wait_s = 0 if wait is None else whole_number(wait, "wait_s", MAX_WAIT_S)
    return TrailQuery(wait_s, values.get("tenant", "")[:64])


def shown_trail(document: dict[str, Any]) -> dict[str, Any]:
    """A trail for its reader: `plan` is that of the last router, which also stands in its note."""
    plans = [
        note["facts"]["plan"]
        for note in document["notes"]
        if note["stage"] == "router" and "plan" in note["facts"]
    ]
    return {"object": "trail", **document, "plan": plans[-1] if plans else None}
