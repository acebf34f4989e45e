"""Signatures of webhooks, after Standard Webhooks
(github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md)."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping, Sequence
from typing import Final

PREFIX: Final = "whsec_"
_LEAST_BYTES: Final = 24
_MOST_BYTES: Final = 64


class Signer:
    """Signs messages, with each secret: a receiver takes one that has any signature it knows, so
    that a new secret can be brought in before the old one goes.

    Args:
        secrets: `whsec_` and base64 of 24 to 64 bytes.

    Raises:
        ValueError: one is not of that form; the message does not hold it.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        self._keys = [_key(secret) for secret in secrets]

    def __bool__(self) -> bool:
        """Whether it can sign."""
        return bool(self._keys)

    def headers(self, message_id: str, at: float, body: bytes) -> dict[str, str]:
        """Of a message that is sent at a time (Unix seconds); sent again it keeps its id."""
        timestamp = str(int(at))
        signed = b".".join((message_id.encode(), timestamp.encode(), body))
        marks = [base64.b64encode(hmac.digest(key, signed, "sha256")) for key in self._keys]
        return {
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": " ".join(f"v1,{mark.decode()}" for mark in marks),
        }


def signer_of(names: Sequence[str], environ: Mapping[str, str]) -> Signer:
    """With the secrets of those environment variables that are set.

    Raises:
        ValueError: names the variable whose secret is none.
    """
    secrets = []
    for name in names:
        if secret := environ.get(name, "").strip():
            try:
                _key(secret)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
            secrets.append(secret)
    return Signer(secrets)


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or not _LEAST_BYTES <= len(key) <= _MOST_BYTES:
        raise ValueError(
            f"a webhook secret is {PREFIX!r} and base64 of {_LEAST_BYTES} to {_MOST_BYTES} bytes"
        )
    return key
