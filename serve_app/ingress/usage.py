"""GET /v1/usage: what a caller used, what it cost, and what is left of its limits and budgets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from serve_app.accounting.ledger import Ledger
from serve_app.accounting.totals import Sums, Totals
from serve_app.admission.porter import Standing
from serve_app.core.clock import Clock
from serve_app.core.errors import Blocked, Overloaded
from serve_app.core.types import Identity
from serve_app.ingress.http import Exchange
from serve_app.ingress.router import Route
from serve_app.store.errors import StoreUnavailable
from serve_app.wire.usage import UsageQuery, decode_usage, left, sums


class UsageRoute:
    """A caller sees the figures of its own key (without one, of its user); an admin those of any
    tenant, by user, key and model.

    Args:
        standing: what limits the caller of an exchange.
        is_admin: whether the caller has an admin key, or needs none.
    """

    def __init__(
        self,
        *,
        standing: Callable[[Exchange], Awaitable[Standing]],
        is_admin: Callable[[Exchange], bool],
        ledger: Ledger,
        clock: Clock,
    ) -> None:
        self._standing = standing
        self._is_admin = is_admin
        self._ledger = ledger
        self._clock = clock

    def routes(self) -> list[Route]:
        return [Route("GET", "/v1/usage", self)]

    async def __call__(self, exchange: Exchange) -> None:
        query = decode_usage(exchange.query)
        try:
            if query.tenant:
                answer = await self._of_tenant(exchange, query)
            else:
                answer = await self._of_caller(exchange, query)
        except StoreUnavailable as error:
            raise Overloaded(
                "The ledger cannot be read at the moment.",
                code="ledger_unavailable",
                retry_after_s=1.0,
            ) from error
        await exchange.answer_json(200, answer)

    async def _of_tenant(self, exchange: Exchange, query: UsageQuery) -> dict[str, object]:
        if not self._is_admin(exchange):
            raise Blocked("Only an admin key may see a tenant's usage", code="admin_required")
        days = await self._ledger.by_day(query.tenant, self._ledger.last_days(query.days))
        whole = Totals(Sums(), {}, {}, {})
        for totals in days.values():
            whole.merge(totals)
        return {
            "object": "usage",
            "tenant": query.tenant,
            "total": sums(whole.total),
            "days": [{"day": day, **sums(totals.total)} for day, totals in days.items()],
            "users": _each(whole.users),
            "keys": _each(whole.keys),
            "models": _each(whole.models),
        }

    async def _of_caller(self, exchange: Exchange, query: UsageQuery) -> dict[str, object]:
        standing = await self._standing(exchange)
        identity = standing.identity
        days = await self._ledger.by_day(identity.tenant, self._ledger.last_days(query.days))
        own = {day: _own(totals, identity) for day, totals in days.items()}
        total = Sums()
        for part in own.values():
            total.merge(part)
        limits, budgets = left(standing.scopes, standing.used, self._clock.wall())
        return {
            "object": "usage",
            "tenant": identity.tenant,
            "user": identity.user,
            "key": identity.key_id,
            "total": sums(total),
            "days": [{"day": day, **sums(part)} for day, part in own.items()],
            "limits": limits,
            "budgets": budgets,
        }


def _own(totals: Totals, identity: Identity) -> Sums:
    if identity.key_id:
        return totals.keys.get(identity.key_id, Sums())
    return totals.users.get(identity.user, Sums())


def _each(by_name: dict[str, Sums]) -> list[dict[str, object]]:
    """The dearest first."""
    ordered = sorted(by_name.items(), key=lambda item: (-item[1].cost_micro_usd, item[0]))
    return [{"name": name, **sums(some)} for name, some in ordered]
