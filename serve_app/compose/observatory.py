"""All that watches the requests: metrics, the log, and what is made from them."""

from __future__ import annotations

from serve_app.compose.maker import Maker
from serve_app.config.policy import Policy
from serve_app.observe.metrics import Metrics
from serve_app.observe.observer import Observer, RequestLog
from serve_app.store.duty import Duty


class Observatory:
    """What a process knows of its requests, told to whoever wants to know.

    Args:
        replica: names this process among all of them.
    """

    def __init__(self, maker: Maker, policy: Policy, replica: str) -> None:
        self.duty = Duty(maker.store, "watch", replica)
        """Of the one replica that watches for all."""
        self.metrics = Metrics(replica)
        self.observer = Observer([self.metrics, RequestLog()])

    def start(self) -> None:
        """Begin to work in the background; call it in the running loop."""
        self.duty.start()
        self.observer.start()

    def reconfigure(self, policy: Policy) -> None:
        """Use another policy from now on.

        Raises:
            PolicyRejected: nothing was changed.
        """

    async def close(self) -> None:
        """Take what has gathered to where it belongs; bounded."""
        await self.observer.close()
        await self.duty.close()
