"""The keys of one provider: which one a call goes out with, and what a refusal means for it.

Used in turn. A 429 cools only the key it came to, and only for the model it was about; a key
that was refused stays out until it changes, one without money for `QUOTA_REST_S`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from serve_app.backends.base import FULL, AttemptFailed
from serve_app.backends.key import EVERY_MODEL, Key
from serve_app.backends.key_file import KeyFile, fits_header
from serve_app.backends.refusal import AUTH, QUOTA
from serve_app.backends.secret import Secret
from serve_app.config.backend_settings import HostedBackend
from serve_app.core.clock import Clock
from serve_app.core.errors import PolicyRejected

log = logging.getLogger(__name__)

COOL_S = 5.0
"""How long other keys go first after a 429 that does not say for how long."""

MAX_COOL_S = 3600.0
"""A key is tried again after so long, however long the provider asked for."""

QUOTA_REST_S = 600.0

SECOND_CHANCE_S = 900.0
"""A provider with no other key is asked again with a refused one after so long: it may have been
the provider's own outage, and nobody should have to restart a gateway for that."""


class ProviderKeys:
    """Hands out keys. None of them is in a message, a `repr` or a log line.

    Args:
        settings: names the variables (a key each) and the file (a key a line).
        environ: read once.

    Raises:
        PolicyRejected: a variable's key holds what no header may hold.
    """

    def __init__(self, settings: HostedBackend, environ: Mapping[str, str], clock: Clock) -> None:
        self._backend = settings.name
        self._clock = clock
        self._is_needed = bool(settings.api_key_env or settings.api_key_file)
        self._fixed = [
            Key(secret, name)
            for name in settings.api_key_env
            if (secret := Secret(environ.get(name, "").strip()))
        ]
        del environ  # else a traceback that lists variables would show it
        self._keys = _unique(self._fixed)
        for key in self._fixed:
            if not fits_header(key.secret):
                raise PolicyRejected(
                    f"the key of backend {settings.name!r} in {key.where} holds characters that "
                    "no header may hold"
                )
        self._next = 0
        path = settings.api_key_file
        self._file = KeyFile(Path(path), settings.name, clock) if path else None
        self._look()

    def __repr__(self) -> str:
        return f"ProviderKeys({self._backend!r}, {len(self._keys)} keys)"

    # ------------------------------------------------------------------ before a call

    def take(self, model: str) -> Key | None:
        """The key for the next call; None for a provider that needs none.

        Raises:
            AttemptFailed: every key is refused (`candidate`), or limited for a while.
        """
        self._look()
        keys = self._keys
        if not keys:
            if self._is_needed:
                raise AttemptFailed("candidate", "there is no key for the provider", code=AUTH)
            return None
        now = self._clock.monotonic()
        for step in range(len(keys)):
            at = (self._next + step) % len(keys)
            if keys[at].is_free(model, now):
                self._next = (at + 1) % len(keys)
                return keys[at]
        return self._best_resting(model, now)

    def _best_resting(self, model: str, now: float) -> Key:
        """No key is free; one that merely rests will do."""
        usable = self.usable()
        if not usable:
            return self._second_chance(now)
        if (wait_s := _wait_s(usable, model, now)) > 0:
            raise AttemptFailed(
                "transient", "every key is limited", status=429, code=FULL, retry_after_s=wait_s
            )
        return min(usable, key=lambda key: key.opens_at(model))

    def _second_chance(self, now: float) -> Key:
        """The key that was refused longest ago, if that is long enough."""
        key = min(self._keys, key=lambda key: key.refused_at)
        if now - key.refused_at < SECOND_CHANCE_S:
            raise AttemptFailed("candidate", "the provider refused our credentials", code=AUTH)
        key.refused_at = now
        return key

    # ------------------------------------------------------------------- after a call

    def worked(self, key: Key | None) -> None:
        """A call with it was answered, so the provider knows it."""
        if key is not None and key.is_refused:
            key.is_refused = False

    def judge(self, key: Key | None, model: str, failed: AttemptFailed) -> AttemptFailed:
        """What a failure with this key means, given the others.

        With another key free it says `retry_after_s=0.0`: try again at once.
        """
        if key is None:
            return failed
        now = self._clock.monotonic()
        if failed.code == AUTH:
            self._refuse(key, failed.status)
        elif failed.code == QUOTA:
            key.close(EVERY_MODEL, now + QUOTA_REST_S)
        elif failed.status != 429 or failed.kind != "transient":
            return failed
        elif failed.retry_after_s is None:
            key.rest(model, now + COOL_S)
        else:
            key.close(model, now + min(failed.retry_after_s, MAX_COOL_S))
        return self._passed_on(failed, model, now)

    def _passed_on(self, failed: AttemptFailed, model: str, now: float) -> AttemptFailed:
        """Another key has to do it, now or later; as it was if there is none."""
        if any(key.is_free(model, now) for key in self._keys):
            return failed.meaning("transient", retry_after_s=0.0)
        usable = self.usable()
        if not usable or failed.code == QUOTA:
            return failed
        wait_s = _wait_s(usable, model, now)
        code = "" if failed.code == AUTH else failed.code
        return failed.meaning("transient", code=code, retry_after_s=wait_s or None)

    def _refuse(self, key: Key, status: int) -> None:
        if not key.is_refused and key in self._keys:
            log.error(
                "backend %s: the provider refused the key in %s (HTTP %d); it is not used again "
                "until it changes", self._backend, key.where, status,
            )  # fmt: skip
        key.is_refused = True
        key.refused_at = self._clock.monotonic()

    # ------------------------------------------------------------------------ standing

    def usable(self) -> list[Key]:
        """Keys that are not refused, limited or not."""
        return [key for key in self._keys if not key.is_refused]

    @property
    def are_refused(self) -> bool:
        """True if calls cannot be made: every key is refused, or there is none."""
        return self._is_needed and all(key.is_refused for key in self._keys)

    def trouble(self) -> str:
        """What is wrong with the keys, for people; empty: nothing."""
        self._look()
        now = self._clock.monotonic()
        refused = sum(key.is_refused for key in self._keys)
        limited = sum(key.is_closed(now) for key in self._keys if not key.is_refused)
        parts = [self._file.trouble] if self._file is not None and self._file.trouble else []
        if self._is_needed and not self._keys:
            parts.append("there is no key")
        if refused:
            parts.append(f"{refused} of {len(self._keys)} keys refused")
        if limited:
            parts.append(f"{limited} of {len(self._keys)} keys limited")
        return ", ".join(parts)

    def _look(self) -> None:
        """Take what the file says if it changed; a key that it still holds keeps its standing."""
        if self._file is None or (news := self._file.news()) is None:
            return
        known = {key.secret: key for key in self._keys}
        read = [known.get(secret) or Key(secret, where) for where, secret in news]
        self._keys = _unique([*self._fixed, *read])
        self._next = 0


def _unique(keys: list[Key]) -> list[Key]:
    unique: dict[Secret, Key] = {}
    for key in keys:
        unique.setdefault(key.secret, key)
    return list(unique.values())


def _wait_s(usable: list[Key], model: str, now: float) -> float:
    """Seconds until the first of them may be used."""
    wait_s = min(key.opens_at(model) for key in usable) - now
    return max(round(wait_s, 3), 0.0)
