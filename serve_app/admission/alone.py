"""What is done about limits while Redis is away: what the policy says, function by function."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from serve_app.admission.share import LocalShares
from serve_app.admission.till import Refusal
from serve_app.config.policy import WithoutRedis
from serve_app.core.clock import Clock
from serve_app.core.errors import Overloaded
from serve_app.core.limits import NO_MONEY, Allowance, Lease, Scope, Used
from serve_app.store.client import StoreUnavailable

log = logging.getLogger(__name__)

_COMPLAIN_EVERY_S = 60.0


class Alone:
    """Limits of one replica that cannot ask Redis.

    Args:
        replicas: how many there are, by which a limit is divided.
    """

    def __init__(self, lease_s: float, replicas: Callable[[], int], clock: Clock) -> None:
        self._shares = LocalShares(lease_s)
        self._replicas = replicas
        self._clock = clock
        self._is_away = False
        self._complained_at = float("-inf")

    def hear(self, scopes: Sequence[Scope], used: Sequence[Used]) -> None:
        """Redis counts, and said what is used: of that, a share is what is left."""
        if self._is_away:
            self._is_away = False
            self._shares.forget()
        self._shares.hear(scopes, used)

    def take(self, rule: WithoutRedis, lease: Lease, error: StoreUnavailable) -> Refusal | None:
        """Charge a lease that Redis does not know of, where the policy says so.

        Raises:
            Overloaded: the policy is `fail_closed` for one of its limits.
        """
        self._is_away = True
        self._complain(rule, error)
        ways = {way for scope in lease.scopes for way in _ways(scope, rule)}
        if "fail_closed" in ways:
            raise Overloaded(
                "Limits cannot be counted at the moment.",
                code="limits_unavailable",
                retry_after_s=1.0,
            ) from error
        shared = [_shared(scope, rule) for scope in lease.scopes]
        refused = self._shares.reserve(shared, lease, self._replicas(), self._now_us())
        return None if refused is None else Refusal(*refused)

    def settle(self, lease: Lease) -> None:
        self._shares.settle(lease, self._replicas(), self._now_us())

    def _now_us(self) -> int:
        return round(self._clock.wall() * 1_000_000)

    def _complain(self, rule: WithoutRedis, error: StoreUnavailable) -> None:
        now = self._clock.monotonic()
        if now - self._complained_at >= _COMPLAIN_EVERY_S:
            self._complained_at = now
            log.error(
                "limits cannot be counted (without_redis: limits %s, budgets %s): %s",
                rule.limits,
                rule.budgets,
                error.reason,
            )


def _ways(scope: Scope, rule: WithoutRedis) -> list[str]:
    """What the policy says of the limits that a scope has."""
    ways: list[str] = []
    if _rates_of(scope.allowance) != Allowance():
        ways.append(rule.limits)
    if scope.allowance.has_money:
        ways.append(rule.budgets)
    return ways


def _shared(scope: Scope, rule: WithoutRedis) -> Scope:
    """A scope with that of it which each replica counts by itself."""
    kept = scope.allowance
    if rule.limits != "local_share":
        kept = replace(kept, requests=0, input=0, output=0, tokens=0, parallel=0)
    if rule.budgets != "local_share":
        kept = _rates_of(kept)
    return replace(scope, allowance=kept)


def _rates_of(allowance: Allowance) -> Allowance:
    """The limits without the budgets."""
    none = NO_MONEY
    return replace(
        allowance, day=none, week=none, month=none, total=none, soft=Allowance().soft, cheaper=False
    )
