"""A Feishu or Lark group's robot, signed.

Apprise's has no signature. Source: open.feishu.cn/document/client-docs/bot-v3/add-custom-bot
(Lark: open.larksuite.com/document/client-docs/bot-v3/add-custom-bot).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any, Final

from serve_app.alerts import wording
from serve_app.alerts.channels.post import cut, post_to_robot
from serve_app.alerts.channels.secret import Secret
from serve_app.alerts.state import Notice
from serve_app.core.clock import Clock

_MAX_BYTES: Final = 18_000
_CODES: Final = {
    9499: "the message or the address is not what it wants",
    11232: "too many messages",
    19001: "the address is not known",
    19021: "the signature is wrong, or our clock is an hour off",
    19022: "our address is not on the robot's list",
    19024: "the message lacks the robot's keyword",
}


class Feishu:
    """
    Args:
        secret: the robot's; one that is not named: messages are not signed.
    """

    def __init__(self, address: Secret, secret: Secret, clock: Clock) -> None:
        self._address = address
        self._secret = secret
        self._clock = clock

    async def send(self, notice: Notice) -> None:
        text = cut(f"{wording.title(notice)}\n\n{wording.body(notice)}", _MAX_BYTES)
        message: dict[str, Any] = {"msg_type": "text", "content": {"text": text}}
        if self._secret.is_named:
            at = int(self._clock.wall())
            message = {"timestamp": str(at), "sign": sign(self._secret.read(), at), **message}
        await post_to_robot(self._address.read(), message, ("code", "StatusCode"), _CODES)

    def close(self) -> None:
        """Holds nothing."""


def sign(secret: str, at: int) -> str:
    """The signature of a moment (Unix seconds): HMAC-SHA256 of nothing, with `SECONDS\\nSECRET` as
    its key."""
    digest = hmac.new(f"{at}\n{secret}".encode(), b"", hashlib.sha256).digest()
    return base64.b64encode(digest).decode()
