"""Who is calling: an API key becomes a caller; the key itself is forgotten at once."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

import yaml
from pydantic import TypeAdapter, ValidationError

from serve_app.admission.caller import CONSOLE, NOBODY, Caller, caller_of_policy
from serve_app.config.policy import AdmissionPolicy, KeyPolicy, WithoutRedis
from serve_app.core.api_key import digest, is_whole, key_id, looks_like_ours
from serve_app.core.errors import Overloaded, PolicyRejected, Unauthorized
from serve_app.core.types import Identity

ANONYMOUS = NOBODY.identity

_key_list = TypeAdapter(list[KeyPolicy])


class Known(Protocol):
    """Keys that are in no policy; see `KeyDirectory`."""

    @property
    def is_loaded(self) -> bool: ...

    @property
    def stale_s(self) -> float: ...

    def find(self, digest: bytes) -> Caller | None: ...

    def now(self) -> float: ...


class KeyRing:
    """The keys that are good under a policy: the policy's own, then those of the directory.

    Only digests are stored and compared: how long a lookup takes says nothing about a key,
    because nobody can choose a key's digest digit by digit.

    Args:
        policy: its `keys` and those of its `key_file`.
        directory: keys that admins make while the gateway runs; and what time it is.
        admin_key: one more admin key besides those of the policy; empty: none.

    Raises:
        PolicyRejected: the file cannot be read, two entries have the same key, or an API key is
            an admin key too.
    """

    def __init__(self, policy: AdmissionPolicy, directory: Known, admin_key: str = "") -> None:
        keys = [*policy.keys, *_read(policy.key_file)]
        self._require_key = policy.require_key
        self._without_redis = policy.without_redis
        self._directory = directory
        self._admins = {bytes.fromhex(sha256): key_id(sha256) for sha256 in policy.admin_keys}
        if admin_key:
            self._admins[digest(admin_key)] = key_id(digest(admin_key).hex())
        self._callers = {bytes.fromhex(key.sha256): caller_of_policy(key) for key in keys}
        if len(self._callers) < len(keys):
            raise PolicyRejected(f"admission.keys: a key occurs twice: {_doubles(keys)}")
        if both := self._callers.keys() & self._admins.keys():
            names = ", ".join(sorted(key_id(sha256.hex()) for sha256 in both))
            raise PolicyRejected(f"admission.admin_keys: an admin key is no API key: {names}")
        self._callers[CONSOLE.digest] = CONSOLE

    def find(self, authorization: str | None, x_api_key: str | None) -> Caller:
        """Who has the key in the `Authorization: Bearer` or `x-api-key` header.

        Without `require_key` a caller whose key is missing or unknown is nobody in particular.

        Raises:
            Unauthorized: a key is required and there is none, or it is unknown; or it is
                disabled or has expired, whether one is required or not.
            Overloaded: it may be a good key, but keys cannot be looked up at the moment.
        """
        key = _given(authorization, x_api_key)
        if not key:
            return self._without_key()
        is_unheard = self._require_key and not self._directory.is_loaded and is_whole(key)
        known = self._listed(digest(key), may_be_unheard=is_unheard)
        if known is None:
            return self._stranger(key)
        known.check_valid(self._directory.now())
        return known

    def find_digest(self, sha256: str) -> Caller:
        """Who has the key of a digest (hexadecimal) that was good once, whether a key is required
        now or not.

        Raises:
            Unauthorized: it is unknown by now, disabled, or has expired.
            Overloaded: keys cannot be looked up at the moment.
        """
        is_unheard = not self._directory.is_loaded
        known = self._listed(bytes.fromhex(sha256), may_be_unheard=is_unheard)
        if known is None:
            raise Unauthorized("The API key that this work was taken in with is gone.")
        known.check_valid(self._directory.now())
        return known

    def identify(self, authorization: str | None, x_api_key: str | None) -> Identity:
        """The identity alone of whom `find` finds."""
        return self.find(authorization, x_api_key).identity

    def admin(self, authorization: str | None, x_api_key: str | None) -> str | None:
        """The id of a caller's admin key, None if it has none. Where no key is asked for and no
        admin key is set, everybody who reaches the port is an admin without an id."""
        if not self._admins:
            return None if self._require_key else ""
        key = _given(authorization, x_api_key)
        return self._admins.get(digest(key)) if key else None

    @property
    def has_admins(self) -> bool:
        """Whether there is an admin key at all."""
        return bool(self._admins)

    def has_admin(self, admin_id: str) -> bool:
        """Whether there is an admin key of this id."""
        return admin_id in self._admins.values()

    def is_admin(self, authorization: str | None, x_api_key: str | None) -> bool:
        """Whether a caller has an admin key, or needs none."""
        return self.admin(authorization, x_api_key) is not None

    def _listed(self, sha256: bytes, *, may_be_unheard: bool) -> Caller | None:
        """Who has the key of a digest.

        Args:
            may_be_unheard: whether an unknown key may be one that this replica has not heard of
                yet.
        """
        if (known := self._callers.get(sha256)) is not None:
            return known
        known = self._directory.find(sha256)
        if known is None and not may_be_unheard:
            return None
        if known is None or self._is_too_old(self._without_redis):
            raise Overloaded(
                "API keys cannot be looked up at the moment.",
                code="keys_unavailable",
                retry_after_s=1.0,
            )
        return known

    def _is_too_old(self, rule: WithoutRedis) -> bool:
        """Whether a key may have been disabled long ago, and nobody could tell us."""
        return rule.keys == "fail_closed" and self._directory.stale_s > rule.keys_for_s

    def _stranger(self, key: str) -> Caller:
        if not self._require_key:
            return NOBODY
        if digest(key) in self._admins:
            raise Unauthorized("This is an admin key; requests need an API key.")
        if looks_like_ours(key) and not is_whole(key):
            raise Unauthorized(
                "Incorrect API key provided: it is mistyped or cut off (its check digits do not "
                "match)."
            )
        raise Unauthorized("Incorrect API key provided.")

    def _without_key(self) -> Caller:
        if not self._require_key:
            return NOBODY
        raise Unauthorized(
            "No API key provided. Send one in the header 'Authorization: Bearer KEY'.",
            code="missing_api_key",
        )


def gives_key(authorization: str | None, x_api_key: str | None) -> bool:
    """Whether a caller's headers have a key, good or not."""
    return bool(_given(authorization, x_api_key))


def _given(authorization: str | None, x_api_key: str | None) -> str:
    return _bearer(authorization) or (x_api_key or "").strip()


def _bearer(authorization: str | None) -> str:
    scheme, _, token = (authorization or "").strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _doubles(keys: Iterable[KeyPolicy]) -> str:
    ids = [key_id(key.sha256) for key in keys]
    return ", ".join(sorted({i for i in ids if ids.count(i) > 1}))


def _read(key_file: str | None) -> list[KeyPolicy]:
    if key_file is None:
        return []
    try:
        return _key_list.validate_python(yaml.safe_load(Path(key_file).read_bytes()) or [])
    except (OSError, yaml.YAMLError) as error:
        why = error.strerror if isinstance(error, OSError) else "not YAML"
        raise PolicyRejected(f"admission.key_file {key_file!r} cannot be read: {why}") from None
    except ValidationError as error:
        # Without the input: somebody may have written a key where its digest belongs.
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise PolicyRejected(f"admission.key_file {key_file!r}: {where}: {first['msg']}") from None
