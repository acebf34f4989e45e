"""The one way in which the cellar fails."""

from __future__ import annotations


class StoreUnavailable(Exception):
    """A command got no answer that can be used: Redis is away, late, full or refuses.

    Whether it took effect is unknown. What to do without Redis is each room's own rule.
    `reason` is safe to log and to show: no value, no password.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
