"""What was reserved for a request, given back when what it used is in the ledger."""

from __future__ import annotations

from serve_app.accounting.ledger import Ledger
from serve_app.passage import Passage


class Leasing:
    """Ends the leases of requests.

    Args:
        confirm_s: an answer waits so long, at most, for the ledger to have its cost.
    """

    def __init__(self, ledger: Ledger, confirm_s: float) -> None:
        self._ledger = ledger
        self._confirm_s = confirm_s

    def release(self, way: Passage) -> None:
        """The request is over; once, however often it is called. Never waits."""
        lease, way.lease = way.lease, None
        if lease is not None:
            lease.done()

    async def settle(self, way: Passage) -> None:
        """The answer is made: let its end go out only when the ledger has its cost, so that what
        a replica answered before it died is never missing there."""
        lease = way.lease
        self.release(way)
        if lease is not None and (lease.once or lease.cost_micro_usd + lease.input + lease.output):
            since = way.ask.trail.elapsed_ms()
            known = await self._ledger.confirmed(lease.tenant, self._confirm_s)
            way.ask.trail.note("ledger", "confirmed" if known else "later", since)
