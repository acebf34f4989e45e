"""A DingTalk group's robot, signed.

Apprise has one, too, but takes every answer of status 200 for a success, which DingTalk also gives
when it refuses. Source: open.dingtalk.com/document/orgapp/custom-robot-access and
.../customize-robot-security-settings
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Final
from urllib.parse import quote_plus

from serve_app.alerts import wording
from serve_app.alerts.channels.post import cut, post_to_robot
from serve_app.alerts.channels.secret import Secret
from serve_app.alerts.state import Notice
from serve_app.core.clock import Clock

_MAX_BYTES: Final = 18_000
_CODES: Final = {
    300001: "the access token is not known",
    310000: "the signature, a keyword or our address is not what the robot wants",
    130101: "too many messages",
    410100: "too many messages",
}


class DingTalk:
    """
    Args:
        secret: the robot's, `SEC...`; one that is not named: messages are not signed.
    """

    def __init__(self, address: Secret, secret: Secret, clock: Clock) -> None:
        self._address = address
        self._secret = secret
        self._clock = clock

    async def send(self, notice: Notice) -> None:
        url = self._address.read()
        if self._secret.is_named:
            url = signed(url, self._secret.read(), int(self._clock.wall() * 1000))
        text = cut(f"{wording.title(notice)}\n\n{wording.body(notice)}", _MAX_BYTES)
        message = {"msgtype": "text", "text": {"content": text}}
        await post_to_robot(url, message, ("errcode",), _CODES)

    def close(self) -> None:
        """Holds nothing."""


def signed(url: str, secret: str, at_ms: int) -> str:
    """A robot's address with the signature of a moment: HMAC-SHA256 of `MILLISECONDS\\nSECRET`
    with the secret as its key."""
    digest = hmac.new(secret.encode(), f"{at_ms}\n{secret}".encode(), hashlib.sha256).digest()
    sign = quote_plus(base64.b64encode(digest))
    return f"{url}{'&' if '?' in url else '?'}timestamp={at_ms}&sign={sign}"
