"""What every kind of channel can do, and how it fails."""

from __future__ import annotations

from typing import Protocol

from serve_app.alerts.state import Notice


class NotDelivered(Exception):
    """A message that a channel did not take; the text names no address and no secret."""


class Sender(Protocol):
    async def send(self, notice: Notice) -> None:
        """Deliver one message; whoever calls it limits its time.

        Raises:
            NotDelivered
        """

    def close(self) -> None:
        """Let go of what it holds."""
