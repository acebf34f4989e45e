"""Who is behind a key, and what that key may do; made once per key, not per request."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec import Struct

from serve_app.admission.allowed import (
    EVERY_MODEL,
    EVERYTHING,
    Allowed,
    AllowedModels,
    allowed,
    allowed_models,
)
from serve_app.admission.own_limits import checked
from serve_app.config.policy import KeyPolicy, LimitPolicy
from serve_app.core.errors import Blocked, Unauthorized
from serve_app.core.key_record import KeyRecord
from serve_app.core.types import Identity


# There may be 100,000 of them: the garbage collector needs not walk through what has no cycles.
class Caller(Struct, frozen=True, gc=False):
    """A known key. Without a record: somebody who needs none."""

    identity: Identity
    record: KeyRecord | None
    digest: bytes
    """Of the key."""
    models: AllowedModels
    paths: Allowed
    limits: LimitPolicy | None = None
    """Its own, before those of the policy."""

    @property
    def priority(self) -> str:
        return "interactive" if self.record is None else self.record.priority

    def check_valid(self, now: float) -> None:
        """
        Args:
            now: Unix seconds.

        Raises:
            Unauthorized: the key is disabled, or its time has passed.
        """
        record = self.record
        if record is None:
            return
        if record.disabled:
            raise Unauthorized("This API key is disabled.", code="key_disabled")
        if record.is_over(now):
            raise Unauthorized("This API key has expired.", code="key_expired")

    def check_path(self, path: str) -> None:
        """
        Raises:
            Blocked: the key may not use this route.
        """
        if not self.paths.has(path):
            raise Blocked(
                f"This API key may not use {path[:80]!r} (its 'paths' do not have it).",
                code="route_not_allowed",
                param="paths",
            )

    def check_model(self, model: str) -> None:
        """
        Args:
            model: the name asked for, or what it is an alias of.

        Raises:
            Blocked: the key may not ask for this model.
        """
        if not self.models.has(model):
            raise Blocked(
                f"This API key may not ask for the model {model[:80]!r} (its 'models' do not "
                "have it).",
                code="model_not_allowed",
                param="model",
            )


def caller(record: KeyRecord) -> Caller:
    """Who has the key of a record.

    Raises:
        BadRequest: its limits make no sense.
    """
    return Caller(
        identity=Identity(record.tenant, record.user or record.id, record.id, record.team),
        record=record,
        digest=bytes.fromhex(record.sha256),
        models=allowed_models(record.models),
        paths=allowed(record.paths),
        limits=checked(record.limits),
    )


def caller_of_policy(key: KeyPolicy) -> Caller:
    """Who has a key that a policy names."""
    limits = key.limits.model_dump(mode="json", exclude_none=True) if key.limits else {}
    record = KeyRecord(
        sha256=key.sha256,
        tenant=key.tenant,
        user=key.user,
        team=key.team,
        models=tuple(key.models),
        paths=tuple(key.paths),
        limits=limits,
        priority=key.priority,
        expires_at=_unix(key.expires),
    )
    return caller(record)


def _unix(when: datetime | None) -> int:
    if when is None:
        return 0
    return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp())


NOBODY = Caller(Identity(), None, b"", EVERY_MODEL, EVERYTHING)
"""Whoever has no key where none is needed."""

CONSOLE = Caller(Identity("console", "console"), None, bytes(32), EVERY_MODEL, EVERYTHING)
"""An admin who asks from the console. No key has this digest, so that nobody else can be it."""
