"""The porter: who is calling, and may they. Headers in, an identity or a refusal out."""

from __future__ import annotations

import logging

from msgspec import Struct

from serve_app.admission.auth import KeyRing
from serve_app.admission.limits import Level, Limit, Taken, take
from serve_app.config.policy import AdmissionPolicy
from serve_app.core.clock import Clock
from serve_app.core.errors import Overloaded, RateLimited
from serve_app.core.types import Identity
from serve_app.store import keys
from serve_app.store.client import Store, StoreUnavailable

log = logging.getLogger(__name__)

_COMPLAIN_EVERY_S = 60.0

ADMIN = Identity(user="admin")
"""Who has an admin key; of the tenant that callers without a key are of."""


class Admitted(Struct, frozen=True):
    """A caller who may go on. `headers` say what is left of the limit nearest to its end."""

    identity: Identity
    headers: dict[str, str] = {}
    unlimited: str = ""
    """Why no limit was looked at, if none was: for the trail."""


class Admission:
    """Admits callers under a policy.

    Args:
        policy: keys, limits, and what to do without Redis.
        store: where the limits are counted, for all replicas together.
        clock: for how often the log hears of limits that cannot be counted.

    Raises:
        PolicyRejected: the policy cannot be used.
    """

    def __init__(self, policy: AdmissionPolicy, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._complained_at = float("-inf")
        self.reconfigure(policy)

    def reconfigure(self, policy: AdmissionPolicy) -> None:
        """Apply another policy. A bad one raises `PolicyRejected` and changes nothing."""
        self._ring = KeyRing(policy)
        self._policy = policy

    async def admit(self, authorization: str | None, x_api_key: str | None) -> Admitted:
        """Let a caller in.

        Raises:
            Unauthorized: no key, or an unknown one.
            RateLimited: a limit is used up; `retry_after_s` says for how long.
            Overloaded: limits cannot be counted and the policy is `fail_closed`.
        """
        identity = self._ring.identify(authorization, x_api_key)
        limits = self._limits(identity)
        if not limits:
            return Admitted(identity, unlimited="no limits")
        try:
            taken = await take(self._store, limits)
        except StoreUnavailable as error:
            return self._without_redis(identity, error)
        if taken.refused is not None:
            raise _refusal(taken, taken.refused)
        return Admitted(identity, _headers(taken))

    def is_admin(self, authorization: str | None, x_api_key: str | None) -> bool:
        """Whether a caller may see and change what is of every tenant."""
        return self._ring.is_admin(authorization, x_api_key)

    async def admit_to_desk(self, authorization: str | None, x_api_key: str | None) -> Identity:
        """Let a caller in that asks for nothing of a model; an admin needs no other key.

        Raises:
            Unauthorized, RateLimited, Overloaded: as `admit`.
        """
        if self.is_admin(authorization, x_api_key):
            return ADMIN
        return (await self.admit(authorization, x_api_key)).identity

    def _limits(self, identity: Identity) -> list[Limit]:
        if not self._policy.require_key:
            return []
        tenant, user_rpm, key_rpm = identity.tenant, self._policy.user_rpm, self._policy.key_rpm
        limits = []
        if user_rpm:
            bucket = keys.user_rate(tenant, identity.user)
            limits.append(Limit(f"{user_rpm} requests per minute per user", bucket, user_rpm))
        if key_rpm:
            bucket = keys.key_rate(tenant, identity.key_id)
            limits.append(Limit(f"{key_rpm} requests per minute per key", bucket, key_rpm))
        return limits

    def _without_redis(self, identity: Identity, error: StoreUnavailable) -> Admitted:
        """What the policy says for the time that Redis is away."""
        rule = self._policy.without_redis
        now = self._clock.monotonic()
        if now - self._complained_at >= _COMPLAIN_EVERY_S:
            self._complained_at = now
            log.error("limits cannot be counted, %s (without_redis): %s", rule, error.reason)
        if rule == "fail_closed":
            raise Overloaded(
                "Limits cannot be counted at the moment.",
                code="limits_unavailable",
                retry_after_s=1.0,
            ) from error
        return Admitted(identity, unlimited="limits could not be counted")


def _refusal(taken: Taken, limit: Limit) -> RateLimited:
    wait_s = taken.retry_after_s
    return RateLimited(
        f"Rate limit reached: {limit.name}. Try again in {wait_s:.1f} s.", retry_after_s=wait_s
    )


def _headers(taken: Taken) -> dict[str, str]:
    """The names that OpenAI's clients know, for the limit of which least is left."""
    level = min(taken.levels, key=_remaining)
    return {
        "x-ratelimit-limit-requests": str(level.limit.per_minute),
        "x-ratelimit-remaining-requests": str(level.remaining),
        "x-ratelimit-reset-requests": f"{level.reset_s:.3f}s",
    }


def _remaining(level: Level) -> int:
    return level.remaining
