"""Who waits for a turn and who is next: a queue for each tenant, and the tenants in a ring.

Round robin over tenants (Nagle, RFC 970; with weights: Shreedhar and Varghese 1996, where every
turn costs 1). Who comes joins the end of the ring, so a tenant waits for at most one round of the
others, however many of theirs wait. Nothing is remembered of a tenant that has nobody here.
Every operation takes constant time.
"""

from __future__ import annotations

from asyncio import Future
from collections import OrderedDict
from collections.abc import Mapping


class Waiter:
    """One call that waits. Its answer: empty for a turn, else why it gets none."""

    __slots__ = ("answer", "line", "tenant")

    def __init__(self, tenant: str, line: Line, answer: Future[str]) -> None:
        self.tenant = tenant
        self.line = line
        self.answer = answer


class _Party:
    """The waiting calls of one tenant, oldest first."""

    __slots__ = ("turns_left", "waiting", "weight")

    def __init__(self, weight: int) -> None:
        self.weight = weight
        self.turns_left = weight
        """So many more before it is the next tenant's turn."""
        self.waiting: OrderedDict[Waiter, None] = OrderedDict()


class Line:
    """Waiting calls of one class.

    Args:
        weights: turns in a row that a tenant gets when the ring comes to it; 1 if not named.
    """

    __slots__ = ("_by_length", "_longest", "_parties", "_ring_weight", "_size", "_weights")

    def __init__(self, weights: Mapping[str, int]) -> None:
        self._weights = weights
        self._parties: OrderedDict[str, _Party] = OrderedDict()
        """The ring: the first is next. Only tenants that have somebody waiting."""
        self._ring_weight = 0
        self._size = 0
        self._by_length: dict[int, OrderedDict[_Party, None]] = {}
        self._longest = 0

    def __len__(self) -> int:
        return self._size

    def of(self, tenant: str) -> int:
        """How many calls of a tenant wait."""
        party = self._parties.get(tenant)
        return 0 if party is None else len(party.waiting)

    def ahead(self, tenant: str) -> int:
        """Turns of those here now that come before a new call of this tenant, at most."""
        party = self._parties.get(tenant)
        if party is None:
            return min(self._size, self._ring_weight)
        own = len(party.waiting)
        rounds = own // party.weight + 1
        return own + min(self._size - own, rounds * (self._ring_weight - party.weight))

    def add(self, waiter: Waiter) -> None:
        """Stand at the end of the tenant's queue."""
        party = self._parties.get(waiter.tenant)
        if party is None:
            party = self._parties[waiter.tenant] = _Party(self._weights.get(waiter.tenant, 1))
            self._ring_weight += party.weight
        party.waiting[waiter] = None
        self._size += 1
        self._resized(party, len(party.waiting) - 1)

    def next(self) -> Waiter:
        """Take out who is next; there must be somebody."""
        tenant, party = next(iter(self._parties.items()))
        waiter = next(iter(party.waiting))
        party.turns_left -= 1
        if not party.turns_left:
            party.turns_left = party.weight
            self._parties.move_to_end(tenant)
        self._take_out(waiter, party)
        return waiter

    def discard(self, waiter: Waiter) -> bool:
        """Take out who waits no longer; False if it was not here."""
        party = self._parties.get(waiter.tenant)
        if party is None or waiter not in party.waiting:
            return False
        self._take_out(waiter, party)
        return True

    def last_of_longest(self) -> Waiter | None:
        """The newest call of a tenant of which most wait; None: nobody waits."""
        if not self._size:
            return None
        return next(reversed(next(iter(self._by_length[self._longest])).waiting))

    @property
    def longest(self) -> int:
        """How many wait of the tenant of which most do."""
        return self._longest

    def _take_out(self, waiter: Waiter, party: _Party) -> None:
        del party.waiting[waiter]
        self._size -= 1
        if not party.waiting:
            del self._parties[waiter.tenant]
            self._ring_weight -= party.weight
        self._resized(party, len(party.waiting) + 1)

    def _resized(self, party: _Party, before: int) -> None:
        """Keep the parties apart by length; one length differs from the next by 1."""
        now = len(party.waiting)
        if now:
            self._by_length.setdefault(now, OrderedDict())[party] = None
        if before:
            others = self._by_length[before]
            del others[party]
            if not others:
                del self._by_length[before]
        if now > self._longest or (before == self._longest and before not in self._by_length):
            self._longest = now
