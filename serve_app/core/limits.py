"""What admission promises and the ledger settles: limits of a scope, a need, a lease."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct, msgpack

_MINUTES_S = 1200
"""A scope without budgets is forgotten when the deepest debt would be paid."""
_BUDGET_S = 70 * 86400
"""Longer than the longest period that comes to an end."""

PERIODS = ("day", "week", "month", "total")
NO_MONEY = -1


class Allowance(Struct, frozen=True):
    """How much a scope may use. 0 is no limit of rates; `NO_MONEY` no budget, in micro-USD."""

    requests: int = 0
    """A minute; as many may come at once after a quiet minute. So for the next three."""
    input: int = 0
    output: int = 0
    tokens: int = 0
    parallel: int = 0
    day: int = NO_MONEY
    week: int = NO_MONEY
    month: int = NO_MONEY
    total: int = NO_MONEY
    soft: int = 80
    """Per cent of a budget from which on it is nearly spent."""
    cheaper: bool = False
    """Whether then the cheap tier is asked where the caller leaves the choice."""

    @property
    def has_money(self) -> bool:
        return self.day >= 0 or self.week >= 0 or self.month >= 0 or self.total >= 0

    @property
    def has_holds(self) -> bool:
        return self.has_money or self.parallel > 0

    def packed(self) -> bytes:
        """As the script reads it: a list, in MessagePack."""
        ttl_s = 0 if self.total >= 0 else _BUDGET_S if self.has_money else _MINUTES_S
        numbers = (
            self.requests, self.input, self.output, self.tokens, self.parallel,
            self.day, self.week, self.month, self.total, ttl_s,
        )  # fmt: skip
        return msgpack.encode(numbers)


class Scope(Struct, frozen=True):
    """Whom a limit holds for: a user, a key, a tenant's use of a model ..."""

    name: str
    """For people: `per user`."""
    state: str
    """Key of what it used, in Redis."""
    holds: str
    allowance: Allowance
    packed: bytes
    """`allowance.packed()`, worked out once."""
    who: str = ""
    """Whom it holds for: `tenant=acme,user=ann`."""


class Need(Struct, frozen=True, gc=False):
    """What one request is expected to use, at most."""

    input: int = 0
    output: int = 0
    cost_micro_usd: int = 0


class Used(Struct, frozen=True, gc=False):
    """What a scope has used, as the ledger says. Tokens in the buckets, money in micro-USD."""

    requests: int = 0
    input: int = 0
    output: int = 0
    tokens: int = 0
    running: int = 0
    held: int = 0
    day: int = 0
    week: int = 0
    month: int = 0
    total: int = 0


class Lease:
    """A reservation, until what was really used is known.

    It is over when everybody who kept it is done: the request, and each call of a backend that
    was made for it and may outlive it.

    Args:
        name: in Redis, unique.
        scopes: that were charged.
        reserved: False if Redis does not know of it (it was away).
        settle: told once, when it is over.
    """

    __slots__ = ("_settle", "_users", "cost_micro_usd", "input", "name", "need", "once", "output",
                 "reserved", "scopes", "tenant")  # fmt: skip

    def __init__(
        self,
        name: str,
        tenant: str,
        scopes: tuple[Scope, ...],
        need: Need,
        settle: Callable[[Lease], None],
        *,
        reserved: bool = True,
    ) -> None:
        self.name = name
        self.tenant = tenant
        self.scopes = scopes
        self.need = need
        self.reserved = reserved
        self.once = ""
        """A name under which the request is charged once, however often it is done."""
        self.input = self.output = self.cost_micro_usd = 0
        self._settle = settle
        self._users = 1

    @property
    def is_open(self) -> bool:
        return self._users > 0

    @property
    def hold(self) -> str:
        """As it stands among the holds of a scope."""
        return f"{self.name}:{self.need.cost_micro_usd}"

    def keep(self) -> None:
        """One more will be done later."""
        self._users += 1

    def charge(self, input_tokens: int, output_tokens: int, cost_micro_usd: int) -> None:
        self.input += input_tokens
        self.output += output_tokens
        self.cost_micro_usd += cost_micro_usd

    def done(self) -> None:
        self._users -= 1
        if self._users == 0:
            self._settle(self)
