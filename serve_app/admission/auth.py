"""Who is calling: an API key becomes an identity; the key itself is forgotten at once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import yaml
from pydantic import TypeAdapter, ValidationError

from serve_app.config.policy import AdmissionPolicy, KeyPolicy
from serve_app.core.errors import PolicyRejected, Unauthorized
from serve_app.core.types import Identity

ANONYMOUS = Identity()
_KEY_ID_CHARS = 12

_key_list = TypeAdapter(list[KeyPolicy])


class KeyRing:
    """The known keys, by SHA-256 digest.

    Only digests are stored and compared: how long a lookup takes says nothing about a key,
    because nobody can choose a key's digest digit by digit.

    Args:
        policy: its `keys` and those of its `key_file`.

    Raises:
        PolicyRejected: the file cannot be read, or two entries have the same key.
    """

    def __init__(self, policy: AdmissionPolicy) -> None:
        keys = [*policy.keys, *_read(policy.key_file)]
        self._require_key = policy.require_key
        self._admins = {bytes.fromhex(digest) for digest in policy.admin_keys}
        self._identities = {bytes.fromhex(key.sha256): _identity(key) for key in keys}
        if len(self._identities) < len(keys):
            raise PolicyRejected(f"admission.keys: a key occurs twice: {_doubles(keys)}")

    def identify(self, authorization: str | None, x_api_key: str | None) -> Identity:
        """The identity behind the `Authorization: Bearer` or `x-api-key` header.

        Without `require_key` a caller whose key is missing or unknown is anonymous.

        Raises:
            Unauthorized: a key is required and there is none, or it is unknown.
        """
        key = _bearer(authorization) or (x_api_key or "").strip()
        known = self._identities.get(_digest(key)) if key else None
        if known is not None:
            return known
        if not self._require_key:
            return ANONYMOUS
        if key:
            raise Unauthorized("Incorrect API key provided.")
        raise Unauthorized(
            "No API key provided. Send one in the header 'Authorization: Bearer KEY'.",
            code="missing_api_key",
        )

    def is_admin(self, authorization: str | None, x_api_key: str | None) -> bool:
        """Whether a caller has an admin key. Where no key is asked for and no admin key is set,
        everybody who reaches the port is one."""
        if not self._admins:
            return not self._require_key
        key = _bearer(authorization) or (x_api_key or "").strip()
        return bool(key) and _digest(key) in self._admins


def _bearer(authorization: str | None) -> str:
    scheme, _, token = (authorization or "").strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def _identity(key: KeyPolicy) -> Identity:
    key_id = key.sha256[:_KEY_ID_CHARS]
    return Identity(tenant=key.tenant, user=key.user or key_id, key_id=key_id)


def _doubles(keys: Iterable[KeyPolicy]) -> str:
    ids = [key.sha256[:_KEY_ID_CHARS] for key in keys]
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
