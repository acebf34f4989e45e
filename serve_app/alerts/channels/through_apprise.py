"""Any service that Apprise knows (extra `alerts`): e-mail, Slack, PagerDuty and 170 others."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from serve_app.alerts import wording
from serve_app.alerts.channels.base import NotDelivered
from serve_app.alerts.channels.secret import Secret
from serve_app.alerts.state import Notice

if TYPE_CHECKING:
    from apprise import Apprise

_CHATTY: Final = ("apprise", "urllib3.connectionpool", "requests_oauthlib")
"""Loggers that write addresses, and so secrets, at their lower levels."""


class ThroughApprise:
    """Apprise blocks, so each channel has a thread of its own: one that hangs holds no other."""

    def __init__(self, address: Secret, name: str) -> None:
        self._address = address
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"alerts-{name}")

    async def send(self, notice: Notice) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, _send, self._address.read(), notice)

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)


def _send(address: str, notice: Notice) -> None:
    try:
        import apprise
    except ImportError:
        raise NotDelivered("it needs Apprise: install serve-app[alerts]") from None
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    whole: Apprise = apprise.Apprise(asset=apprise.AppriseAsset(app_id="serve-app"))
    if not whole.add(address) or not len(whole):
        raise NotDelivered("Apprise does not understand its address")
    kinds = apprise.NotifyType
    kind = kinds.SUCCESS if notice.status == "resolved" else kinds.WARNING
    if notice.status == "firing" and notice.severity == "critical":
        kind = kinds.FAILURE
    taken = whole.notify(
        title=wording.title(notice),
        body=wording.body(notice),
        notify_type=kind,
        body_format=apprise.NotifyFormat.TEXT,
    )
    if not taken:
        raise NotDelivered("the service was not reached, or did not take it")
