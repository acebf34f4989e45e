"""The porter: who is calling, and may they. Headers and a need in, a lease or a refusal out."""

from __future__ import annotations

import logging
from collections.abc import Callable

from msgspec import Struct

from serve_app.admission import figures
from serve_app.admission.alone import Alone
from serve_app.admission.auth import KeyRing
from serve_app.admission.caller import Caller
from serve_app.admission.directory import KeyDirectory
from serve_app.admission.figures import Soft
from serve_app.admission.marks import BudgetMarks
from serve_app.admission.need import Asking, needed
from serve_app.admission.scopes import ScopeBook, Scopes
from serve_app.admission.till import Refusal, Till
from serve_app.config.policy import AdmissionPolicy
from serve_app.config.structure import LedgerSettings
from serve_app.core.clock import Clock
from serve_app.core.errors import BudgetSpent, GatewayError, RateLimited, Unauthorized
from serve_app.core.limits import PERIODS, Lease, Need, Scope, Used
from serve_app.core.types import Identity
from serve_app.store.client import Store, StoreUnavailable

__all__ = ["ADMIN", "Admission", "Admitted", "Asking", "Standing"]

log = logging.getLogger(__name__)

_WARN_EVERY_S = 3600.0

ADMIN = Identity(user="admin")
"""Who has an admin key; of the tenant that callers without a key are of."""


class Admitted(Struct):
    """A caller who may go on."""

    caller: Caller
    lease: Lease | None = None
    """What was reserved; whoever has it says when it is over. None: nothing is limited."""
    headers: dict[str, str] = {}
    """What is left of the limits nearest to their end."""
    soft: Soft | None = None
    """A budget that is nearly spent."""
    unlimited: str = ""
    """Why no limit was looked at, if none was: for the trail."""

    @property
    def identity(self) -> Identity:
        return self.caller.identity


class Standing(Struct):
    """What limits a caller, and what of it is used: for those who ask."""

    identity: Identity
    scopes: tuple[Scope, ...]
    used: list[Used]


class Admission:
    """Admits callers under a policy.

    Args:
        policy: keys, limits, budgets, and what to do without Redis.
        settings: how reservations are kept.
        store: where limits are counted, for all replicas together.
        directory: keys that are made while the gateway runs, and how many replicas there are.
        clock: for how often the log hears of what cannot be counted.
        settle: told of each lease when it is over.
        admin_key: one more, besides those of the policy; empty: none.

    Raises:
        PolicyRejected: the policy cannot be used.
    """

    def __init__(
        self,
        policy: AdmissionPolicy,
        settings: LedgerSettings,
        store: Store,
        directory: KeyDirectory,
        clock: Clock,
        settle: Callable[[Lease], None],
        *,
        admin_key: str = "",
    ) -> None:
        self._settings = settings
        self._directory = directory
        self._clock = clock
        self._settle = settle
        self._admin_key = admin_key
        self._till = Till(store, clock, settings.lease_s, self._over)
        self._alone = Alone(settings.lease_s, lambda: directory.live_replicas, clock)
        self.marks = BudgetMarks(clock)
        """Budgets that are nearly spent, for the metrics."""
        self._warned: dict[str, float] = {}
        self.reconfigure(policy)

    def reconfigure(self, policy: AdmissionPolicy) -> None:
        """Apply another policy. A bad one raises `PolicyRejected` and changes nothing."""
        ring = KeyRing(policy, self._directory, self._admin_key)
        scopes = ScopeBook(policy, together=self._settings.slot == "one")
        self._ring, self._scopes, self._policy = ring, scopes, policy

    def start(self) -> None:
        self._till.start()

    async def close(self) -> None:
        await self._till.close()

    async def admit(
        self,
        authorization: str | None,
        x_api_key: str | None,
        asking: Asking,
        key_sha256: str = "",
    ) -> Admitted:
        """Let a caller in, with all that the request needs reserved.

        Args:
            key_sha256: of a caller that is known by the digest of its key in place of a header.

        Raises:
            Unauthorized: no key, or one that is not good, or is another tenant's than was asked.
            Blocked: the key may not use this route or model.
            TooLarge: no limit would ever let so large a request through.
            RateLimited: a limit is used up; `retry_after_s` says for how long.
            BudgetSpent: a budget is.
            Overloaded: limits or keys cannot be looked up and the policy is `fail_closed`.
        """
        caller = self._caller(authorization, x_api_key, key_sha256)
        _check_tenant(caller, asking.tenant)
        caller.check_path(asking.path)
        if asking.model:
            caller.check_model(asking.model)
        scopes = self._scopes_of(caller, asking.counted or asking.model)
        need = needed(scopes, asking, self._policy)
        if not scopes.counted:
            return self._named(Admitted(caller, unlimited="no limits"), asking.once)
        tenant = caller.identity.tenant
        try:
            outcome = await self._till.reserve(tenant, scopes.counted, need)
        except StoreUnavailable as error:
            admitted = self._without_redis(caller, scopes.counted, need, error)
            return self._named(admitted, asking.once)
        self._alone.hear(scopes.counted, outcome.used)
        if outcome.refusal is not None:
            self._mark(outcome.refusal)
            raise _refused(outcome.refusal, scopes.counted, outcome.used)
        soft = figures.soft(scopes.counted, outcome.used)
        if soft is not None or self.marks:
            self.marks.hear(scopes.counted, outcome.used)
        if soft is not None:
            self._warn(soft, caller.identity)
        told = figures.headers(scopes.counted, outcome.used)
        return self._named(Admitted(caller, outcome.lease, told, soft), asking.once)

    def identify(
        self, authorization: str | None, x_api_key: str | None, key_sha256: str = ""
    ) -> Identity:
        """Who is calling; nothing is reserved.

        Raises:
            Unauthorized: no key, or one that is not good.
            Overloaded: keys cannot be looked up and the policy is `fail_closed`.
        """
        return self._caller(authorization, x_api_key, key_sha256).identity

    def _caller(self, authorization: str | None, x_api_key: str | None, key_sha256: str) -> Caller:
        if key_sha256:
            return self._ring.find_digest(key_sha256)
        return self._ring.find(authorization, x_api_key)

    def _named(self, admitted: Admitted, once: str) -> Admitted:
        """A request that is charged once has a lease that says so, even if nothing is limited."""
        if once:
            lease = admitted.lease or self._till.lend(admitted.identity.tenant, (), Need())
            lease.once = once
            admitted.lease = lease
        return admitted

    async def admit_to_queue(
        self, authorization: str | None, x_api_key: str | None, path: str, key_sha256: str = ""
    ) -> Caller:
        """Let a caller in that wants something done later, which is admitted itself then.

        Raises:
            GatewayError: as `admit`.
        """
        admitted = await self.admit(authorization, x_api_key, Asking(path=path), key_sha256)
        if admitted.lease is not None:
            admitted.lease.done()
        return admitted.caller

    def known(self, authorization: str | None, x_api_key: str | None, path: str) -> Identity:
        """Who a caller is that comes back for what it has asked already: nothing is counted.

        Raises:
            Unauthorized: no key, or one that is not good.
            Blocked: the key may not use this route.
            Overloaded: keys cannot be looked up at the moment.
        """
        caller = self._ring.find(authorization, x_api_key)
        caller.check_path(path)
        return caller.identity

    def is_admin(self, authorization: str | None, x_api_key: str | None) -> bool:
        """Whether a caller may see and change what is of every tenant."""
        return self._ring.is_admin(authorization, x_api_key)

    def admin(self, authorization: str | None, x_api_key: str | None) -> str | None:
        """The id of a caller's admin key; see `KeyRing.admin`."""
        return self._ring.admin(authorization, x_api_key)

    @property
    def has_admins(self) -> bool:
        """Whether there is an admin key at all."""
        return self._ring.has_admins

    def has_admin(self, admin_id: str) -> bool:
        """Whether there is an admin key of this id under the policy of the moment."""
        return self._ring.has_admin(admin_id)

    async def admit_to_desk(
        self, authorization: str | None, x_api_key: str | None, path: str
    ) -> Identity:
        """Let a caller in that asks for nothing of a model; an admin needs no other key.

        Raises:
            GatewayError: as `admit`.
        """
        if self.is_admin(authorization, x_api_key):
            return ADMIN
        admitted = await self.admit(authorization, x_api_key, Asking(path=path))
        if admitted.lease is not None:
            admitted.lease.done()
        return admitted.identity

    async def standing(
        self, authorization: str | None, x_api_key: str | None, key_sha256: str = ""
    ) -> Standing:
        """What limits a caller, and what of it is used. Costs the caller nothing.

        Raises:
            Unauthorized: no key, or one that is not good.
            StoreUnavailable
        """
        caller = self._caller(authorization, x_api_key, key_sha256)
        scopes = self._scopes_of(caller, "").counted
        return Standing(caller.identity, scopes, await self._till.look(scopes))

    def _scopes_of(self, caller: Caller, model: str) -> Scopes:
        account = "" if caller.record is None else caller.record.account
        return self._scopes.of(caller.identity, model, caller.limits, account)

    def _without_redis(
        self, caller: Caller, scopes: tuple[Scope, ...], need: Need, error: StoreUnavailable
    ) -> Admitted:
        """What the policy says for the time that Redis is away."""
        lease = self._till.lend(caller.identity.tenant, scopes, need)
        refusal = self._alone.take(self._policy.without_redis, lease, error)
        if refusal is not None:
            raise _refused(refusal, (), ())
        return Admitted(caller, lease, unlimited="Redis is away")

    def _over(self, lease: Lease) -> None:
        if not lease.reserved:
            self._alone.settle(lease)
        self._settle(lease)

    def _mark(self, refusal: Refusal) -> None:
        """A budget that refuses is spent, unless it only waits for running requests to end."""
        if refusal.limit in PERIODS and (refusal.wait_s is None or refusal.wait_s > 1):
            self.marks.refused(refusal.scope, refusal.limit)

    def _warn(self, soft: Soft, identity: Identity) -> None:
        """Tell the log, once an hour for each budget, that it is nearly spent."""
        now, name = self._clock.monotonic(), f"{soft.scope.state}:{soft.period}"
        if now - self._warned.get(name, float("-inf")) < _WARN_EVERY_S:
            return
        if len(self._warned) > 1000:
            self._warned.clear()
        self._warned[name] = now
        log.warning(
            "budget nearly spent: %s of tenant %r: %.2f of %.2f USD",
            figures.named(soft.scope, soft.period),
            identity.tenant,
            soft.spent / 1e6,
            soft.limit / 1e6,
        )


def _check_tenant(caller: Caller, tenant: str) -> None:
    """
    Raises:
        Unauthorized: the caller is of another tenant than the one that was let in.
    """
    if tenant and caller.identity.tenant != tenant:
        raise Unauthorized(
            "The API key that this work was taken in with is another tenant's now.",
            code="key_of_another_tenant",
        )


def _refused(refusal: Refusal, scopes: tuple[Scope, ...], used: tuple[Used, ...]) -> GatewayError:
    """A refusal as the error it stands for; it names the limit, and its head tells of all."""
    name = figures.named(refusal.scope, refusal.limit)
    wait_s = refusal.wait_s
    again = "" if wait_s is None else f" Try again in {figures.waiting(wait_s)}."
    told = {**figures.headers(scopes, used), "x-serve-app-limit": name}
    if refusal.limit in PERIODS:
        return BudgetSpent(f"The {name} is spent.{again}", retry_after_s=wait_s, headers=told)
    return RateLimited(f"Rate limit reached: {name}.{again}", retry_after_s=wait_s, headers=told)
