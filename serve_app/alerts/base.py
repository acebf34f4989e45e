"""What alerts take from others: the totals of the service over time, and who counts messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

Labels = tuple[tuple[str, str], ...]
"""Label pairs in the order of their names; the name of the metric is not among them."""


class Snapshot(Protocol):
    """All totals and gauges of the service at one moment."""

    @property
    def at(self) -> float:
        """Unix seconds."""

    @property
    def series(self) -> Mapping[str, Mapping[Labels, float]]:
        """By the metric's name as it is exposed (`serve_app_requests_total`), then by labels."""


class Snapshots(Protocol):
    """The snapshots of about the last hour."""

    async def read(self, since_s: float) -> Sequence[Snapshot]:
        """Those of the last `since_s` seconds, oldest first."""


class Tally(Protocol):
    """Counts what became of messages."""

    def alert_sent(self, channel: str, outcome: str) -> None:
        """`outcome`: `sent`, `failed` (it is tried again) or `lost` (it is not)."""


class Turn(Protocol):
    """Whether this process is the one of all that does what one has to do."""

    @property
    def is_mine(self) -> bool: ...
