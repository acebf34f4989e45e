"""Alerts as plain JSON to any address, signed if there is a secret (standardwebhooks.com)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

import msgspec

from serve_app.alerts import wording
from serve_app.alerts.channels.base import NotDelivered
from serve_app.alerts.channels.post import post
from serve_app.alerts.channels.secret import Secret
from serve_app.alerts.state import Notice
from serve_app.core.clock import Clock


class Webhook:
    def __init__(self, address: Secret, secret: Secret, clock: Clock) -> None:
        self._address = address
        self._secret = secret
        self._clock = clock

    async def send(self, notice: Notice) -> None:
        content = msgspec.structs.asdict(notice)
        said = {"title": wording.title(notice), "text": wording.body(notice)}
        body = msgspec.json.encode({"type": "alert", **content, **said})
        headers: dict[str, str] = {}
        if self._secret.is_named:
            at = int(self._clock.wall())
            headers = signature(self._secret.read(), notice.id, at, body)
        await post(self._address.read(), body, headers)

    def close(self) -> None:
        """Holds nothing."""


def signature(secret: str, message_id: str, at: int, body: bytes) -> dict[str, str]:
    """The headers that a receiver checks; tries of one message share its id.

    Raises:
        NotDelivered: the secret is not `whsec_` and base64.
    """
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        raise NotDelivered("its secret is not `whsec_` and base64") from None
    signed = f"{message_id}.{at}.".encode() + body
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
