"""A WeCom group's robot. Source: developer.work.weixin.qq.com/document/path/91770

Apprise has one, too, but takes every answer of status 200 for a success, which WeCom also gives
when it refuses.
"""

from __future__ import annotations

from typing import Final

from serve_app.alerts import wording
from serve_app.alerts.channels.post import cut, post_to_robot
from serve_app.alerts.channels.secret import Secret
from serve_app.alerts.state import Notice

_MAX_BYTES: Final = 2048
_CODES: Final = {93000: "the key in its address is not known", 45009: "too many messages"}


class WeCom:
    def __init__(self, address: Secret) -> None:
        self._address = address

    async def send(self, notice: Notice) -> None:
        text = cut(f"{wording.title(notice)}\n\n{wording.body(notice)}", _MAX_BYTES)
        message = {"msgtype": "text", "text": {"content": text}}
        await post_to_robot(self._address.read(), message, ("errcode",), _CODES)

    def close(self) -> None:
        """Holds nothing."""
