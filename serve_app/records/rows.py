"""Ends of requests and settlements in, rows of the usage store out."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from typing import Any, Final, Protocol

from msgspec import Struct

from serve_app.core.settlement import Settlement
from serve_app.core.short import short
from serve_app.core.trail import Trail
from serve_app.core.types import ChatRequest
from serve_app.records.tables import MICRO

_MOST: Final = 2**63 - 1
_CONTENT_BYTES: Final = 64 << 10

Row = tuple[str | int | None, ...]
"""Values in the order of a table's columns."""


class End(Protocol):
    """How a request ended; see `observe.observer.RequestEnd`."""

    trail: Trail
    route: str
    status: int
    duration_s: float
    tenant: str
    user: str
    backend: str
    model: str
    cache: str
    streamed: bool
    prompt_tokens: int
    completion_tokens: int
    cost_micro_usd: int
    first_content_s: float | None
    error: str
    team: str
    key_id: str
    saved_micro_usd: int
    session: str
    asked: ChatRequest | None


class Batch(Struct, array_like=True):
    """Rows that are written together, or wait on a disk together."""

    requests: list[Row]
    charges: list[Row]

    def __len__(self) -> int:
        return len(self.requests) + len(self.charges)


class Rows:
    """Makes rows; each has a name of its own, so that it may be written again harmlessly."""

    def __init__(self) -> None:
        self._writer = secrets.token_hex(8)
        self._number = 0

    def of(self, ends: Iterable[End], settled: Iterable[Settlement], at_us: int) -> Batch:
        """
        Args:
            at_us: when the settlements were told.
        """
        return Batch([self._request(end) for end in ends], self._charges(settled, at_us))

    def _next(self) -> str:
        self._number += 1
        return f"{self._writer}-{self._number:x}"

    def _request(self, end: End) -> Row:
        trail, first = end.trail, end.first_content_s
        tier, attempts = "", 0
        for note in trail.notes:
            if note.stage == "attempt":
                attempts += 1
            elif note.stage == "router":
                tier = note.decision
        return (
            self._next(),
            int(trail.began_at * MICRO),
            trail.request_id,
            end.route,
            end.status,
            end.error,
            clean(end.tenant),
            clean(end.team),
            clean(end.user),
            end.key_id,
            end.backend,
            clean(end.model),
            tier,
            end.cache,
            int(end.streamed),
            attempts,
            end.prompt_tokens,
            end.completion_tokens,
            end.cost_micro_usd,
            end.saved_micro_usd,
            int(end.duration_s * MICRO),
            None if first is None else int(first * MICRO),
            clean(end.session),
            None if end.asked is None else _content(end.asked),
        )

    def _charges(self, settled: Iterable[Settlement], at_us: int) -> list[Row]:
        """A row for each; what belongs to one attempt at a request with a name is one charge, as
        its bill is one in the ledger. Its parts are told together, the answer first."""
        rows: list[Row] = []
        last: tuple[str, Row] | None = None
        for one in settled:
            if not one.once:
                rows.append(self._charge(one, self._next(), at_us))
                last = None
                continue
            name = _named(one)
            if last is not None and last[0] == name and not one.requests:
                rows[-1] = _with(rows[-1], one)
            else:
                rows.append(self._charge(one, name, at_us))
            last = (name, rows[-1])
        return rows

    def _charge(self, one: Settlement, name: str, at_us: int) -> Row:
        # The ledger does not count an attempt with a name that failed: the next may do better.
        is_void = bool(one.once) and one.status == "failed"
        return (
            name,
            at_us,
            one.request_id,
            clean(one.tenant),
            clean(one.team),
            clean(one.user),
            one.key_id,
            one.backend,
            clean(one.model),
            one.route,
            one.tier,
            one.cache_level,
            int(one.is_batch),
            int(bool(one.once)),
            0 if is_void else one.requests,
            int(one.status == "failed" and not is_void),
            _bounded(one.prompt_tokens),
            _bounded(one.completion_tokens),
            _bounded(one.cached_tokens),
            one.cost_micro_usd,
            one.saved_micro_usd,
        )


_PROMPT: Final = 16
"""Where the amounts that a part adds begin in a charge: tokens of prompt and answer, those that
the provider had, cost, saved."""


def _with(row: Row, part: Settlement) -> Row:
    """A charge and a part of the same attempt that broke off."""
    more = (
        part.prompt_tokens, part.completion_tokens, part.cached_tokens, part.cost_micro_usd,
        part.saved_micro_usd,
    )  # fmt: skip
    amounts: list[Any] = list(row[_PROMPT:])
    return (*row[:_PROMPT], *(a + b for a, b in zip(amounts, more, strict=True)))


def _named(one: Settlement) -> str:
    """The same for whoever does what has this name."""
    named = f"{len(one.tenant)}:{one.tenant}{one.once}".encode("utf-8", "surrogatepass")
    return "n-" + hashlib.sha256(named).hexdigest()[:40]


def _content(asked: ChatRequest) -> str:
    """What was asked, as JSON; cut where it is very long."""
    for field in ("messages", "input"):
        if (said := asked.fields.get(field)) is not None:
            text = bytes(said)[:_CONTENT_BYTES].decode("utf-8", "ignore")
            return text.replace("\0", "")
    return ""


def clean(name: str) -> str:
    """A name as every database takes it: bounded, no NUL, no half of a surrogate pair."""
    if len(name) <= 128 and name.isascii() and "\0" not in name:
        return name
    return short(name.encode("utf-8", "replace").decode().replace("\0", ""))


def _bounded(tokens: int) -> int:
    """Providers count what they like; a column has 63 bits."""
    return max(0, min(tokens, _MOST))
