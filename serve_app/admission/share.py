"""The ledger's arithmetic in memory, for the time that Redis is away: each replica its share.

The same rules as `store/lua/ledger.lua`, beside which the tests hold it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from msgspec import Struct, structs

from serve_app.core.limits import NO_MONEY, PERIODS, Allowance, Lease, Need, Scope, Used
from serve_app.core.periods import periods, until_next

TOKEN = 60_000_000
RATES = ("requests", "input", "output", "tokens")
_DEEPEST = 10
_REMEMBERED = 10_000


class Account(Struct):
    """One scope: what was used, as of `at_us`, and what is held by leases until when."""

    at_us: int = 0
    used: dict[str, int] = {}
    spent: dict[str, int] = {}
    period: dict[str, int] = {}
    holds: dict[str, tuple[int, int]] = {}
    """By lease: when it ends (milliseconds), and the money it may cost."""

    def bring_to(self, now_us: int, allowance: Allowance) -> None:
        """What leaks out of buckets does, periods that are over are, leases that ended too."""
        elapsed = max(0, now_us - self.at_us)
        for rate in RATES:
            per_minute: int = getattr(allowance, rate)
            used = min(self.used.get(rate, 0), _DEEPEST * per_minute * TOKEN)
            self.used[rate] = max(0, used - per_minute * elapsed)
        current = periods(now_us)
        for name in PERIODS:
            if self.period.get(name) != current[name]:
                self.period[name], self.spent[name] = current[name], 0
        now_ms = now_us // 1000
        if allowance.has_holds:
            ended = [lease for lease, (end_ms, _) in self.holds.items() if end_ms <= now_ms]
            for lease in ended:
                del self.holds[lease]
        self.at_us = now_us

    @property
    def held(self) -> int:
        return sum(cost for _, cost in self.holds.values())

    def obstacle(self, allowance: Allowance, need: Need, now_us: int) -> tuple[str, int] | None:
        """Which limit is in the way, and microseconds to wait (-1: for ever)."""
        name, wait = "", 0
        for rate, tokens in zip(RATES, _tokens(need), strict=True):
            if per_minute := getattr(allowance, rate):
                over = self.used[rate] + (tokens - per_minute) * TOKEN
                if over > 0 and (longer := -(-over // per_minute)) > wait:
                    name, wait = rate, longer
        if 0 < allowance.parallel <= len(self.holds) and wait < 1_000_000:
            name, wait = "parallel", 1_000_000
        for period in PERIODS:
            limit: int = getattr(allowance, period)
            alone = self.spent[period] + need.cost_micro_usd
            if limit >= 0 and alone + self.held > limit:
                if period == "total" and alone > limit:
                    return "total", -1
                longer = until_next(period, now_us) if alone > limit else 1_000_000
                if longer > wait:
                    name, wait = period, longer
        return (name, wait) if name else None

    def charge(self, allowance: Allowance, lease: str, need: Need, end_ms: int) -> None:
        for rate, tokens in zip(RATES, _tokens(need), strict=True):
            if getattr(allowance, rate):
                self.used[rate] += tokens * TOKEN
        if allowance.has_holds:
            self.holds[lease] = (end_ms, need.cost_micro_usd)

    def settle(self, allowance: Allowance, lease: Lease) -> None:
        """Put what was really used in the place of what was reserved."""
        more = (
            0,
            lease.input - lease.need.input,
            lease.output - lease.need.output,
            lease.input + lease.output - lease.need.input - lease.need.output,
        )
        for rate, tokens in zip(RATES, more, strict=True):
            if getattr(allowance, rate):
                self.used[rate] = max(0, self.used[rate] + tokens * TOKEN)
        for period in PERIODS:
            self.spent[period] += lease.cost_micro_usd
        self.holds.pop(lease.name, None)

    def figures(self) -> Used:
        requests, read, written, tokens = (-(-self.used[rate] // TOKEN) for rate in RATES)
        day, week, month, total = (self.spent[period] for period in PERIODS)
        return Used(
            requests, read, written, tokens, len(self.holds), self.held, day, week, month, total
        )


class LocalShares:
    """Accounts of one process. Bounded; the one not used for longest goes first."""

    def __init__(self, lease_s: float) -> None:
        self._lease_ms = round(lease_s * 1000)
        self._accounts: OrderedDict[str, Account] = OrderedDict()
        self._heard: OrderedDict[str, Used] = OrderedDict()

    def hear(self, scopes: Sequence[Scope], used: Sequence[Used]) -> None:
        """What Redis said last of budgets: when it is away, only what was left can be shared."""
        for scope, figures in zip(scopes, used, strict=True):
            if scope.allowance.has_money:
                _put(self._heard, scope.state, figures)

    def reserve(
        self, scopes: Sequence[Scope], lease: Lease, replicas: int, now_us: int
    ) -> tuple[Scope, str, float | None] | None:
        """Charge a lease to its scopes, or to none: then which scope refused, by which limit, and
        seconds to wait (None: for ever).

        Args:
            replicas: by which limits are divided.
        """
        shares = [(scope, self._share(scope, replicas)) for scope in scopes]
        worst: tuple[Scope, str, int] | None = None
        for scope, share in shares:
            account = self._account(scope)
            account.bring_to(now_us, share)
            found = account.obstacle(share, lease.need, now_us)
            if found and (worst is None or found[1] < 0 or 0 <= worst[2] < found[1]):
                worst = (scope, *found)
        if worst is not None:
            return worst[0], worst[1], None if worst[2] < 0 else worst[2] / 1_000_000
        for scope, share in shares:
            end_ms = now_us // 1000 + self._lease_ms
            self._account(scope).charge(share, lease.name, lease.need, end_ms)
        return None

    def settle(self, lease: Lease, replicas: int, now_us: int) -> None:
        for scope in lease.scopes:
            share = self._share(scope, replicas)
            account = self._account(scope)
            account.bring_to(now_us, share)
            account.settle(share, lease)

    def forget(self) -> None:
        """Redis counts again."""
        self._accounts.clear()

    def _account(self, scope: Scope) -> Account:
        account = self._accounts.get(scope.state)
        if account is None:
            account = Account()
            _put(self._accounts, scope.state, account)
        self._accounts.move_to_end(scope.state)
        return account

    def _share(self, scope: Scope, replicas: int) -> Allowance:
        """A replica's part: of limits, and of what was left of budgets; at least one of each."""
        whole, heard = scope.allowance, self._heard.get(scope.state, Used())
        parts: dict[str, int] = {}
        for name in (*RATES, "parallel"):
            limit: int = getattr(whole, name)
            parts[name] = max(1, limit // replicas) if limit else 0
        for period in PERIODS:
            limit = getattr(whole, period)
            left = max(0, limit - getattr(heard, period) - heard.held)
            parts[period] = left // replicas if limit >= 0 else NO_MONEY
        return structs.replace(whole, **parts)


def _put(into: OrderedDict[str, Any], name: str, value: Any) -> None:
    into[name] = value
    into.move_to_end(name)
    if len(into) > _REMEMBERED:
        into.popitem(last=False)


def _tokens(need: Need) -> tuple[int, int, int, int]:
    return 1, need.input, need.output, need.input + need.output
