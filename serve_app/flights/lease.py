"""What a flight that leads owes to other replicas: the lease that shows that it lives, and, if
somebody wants to hear, what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from msgspec import Struct

from serve_app.flights import said
from serve_app.store import keys
from serve_app.store.client import Argument, Call

if TYPE_CHECKING:
    from serve_app.flights.flight import Flight

LEASE_MS: Final = 3000
"""How long a lease lives that nobody renews: so long a flight may hang and still lead."""

RENEW_S: Final = 0.25

LIST_MS: Final = 10_000
"""How long what was said is kept after the last renewal: longer than a lease, so that who takes
over finds it; and after the end, so that who reads slowly finds the end."""

Then = Literal["on", "leave", "over"]
"""What becomes of the lease; see `flight_lead.lua`."""


class Step(Struct, frozen=True):
    """What a lease has to do now."""

    then: Then
    known: int
    """Elements that the list should have."""
    elements: list[bytes]


class Lease:
    """The lease of one flight.

    Args:
        holder: who holds it in Redis.
        origin: first holder of this flight; names the list of what was said.
        now: monotonic seconds at which the lease was taken, or a little later.
        known: elements that the list has.
        is_followed: another replica wants to hear of the flight.
    """

    def __init__(
        self,
        flight: Flight,
        holder: str,
        origin: str,
        now: float,
        *,
        known: int = 0,
        is_followed: bool = False,
    ) -> None:
        self.flight = flight
        self.holder = holder
        self.is_followed = is_followed
        self.landed: bool | None = None
        """After the end: whether the answer is in the cache; None: that is still to come."""
        self._origin = origin
        self._known = known
        self._is_marked = False
        self._due = now + RENEW_S
        self._gone_at = now + LEASE_MS / 1000

    @property
    def is_told(self) -> bool:
        """True once others heard of the flight: it then ends its lease itself, after its end is
        told; or a fill that ends the lease would look to them like the leader's death."""
        return self.is_followed or self._known > 0

    def step(self, now: float) -> Step | None:
        """What to do now, if anything."""
        if self.flight.is_over:
            return self._last_step()
        elements = self._news() if self.is_followed else []
        if not elements and now < self._due:
            return None
        self._due = now + RENEW_S
        return Step("on", self._known, elements)

    def took(self, step: Step, reply: tuple[int, int, int], now: float) -> bool:
        """Redis's answer to a step; False: that was the last one."""
        wanted, self._known, is_marked = reply
        self._gone_at = now + LEASE_MS / 1000
        self._is_marked = bool(is_marked)
        if wanted < 0:
            return False
        if not self.flight.is_over or step.then == "leave":
            self.is_followed = bool(wanted)
        if step.then == "over":
            return not (self._is_marked or not step.elements)
        return not (step.then == "leave" and not wanted)

    def is_hopeless(self, now: float) -> bool:
        """After the end: the lease is gone by itself, because Redis was away for so long."""
        return self.flight.is_over and now > self._gone_at

    def call(self, step: Step) -> Call:
        """A step as a call of the script."""
        args: list[Argument] = [self.holder, step.then, LEASE_MS, LIST_MS, step.known]
        flight = self.flight
        keys_ = flight_keys(flight.tenant, flight.fingerprint, self._origin)
        return keys_, [*args, *step.elements]

    def _last_step(self) -> Step | None:
        if self.flight.is_left:
            return Step("over", self._known, [])
        if self.is_told:
            elements = self._news()
            if self.landed is None:
                return Step("on", self._known, elements) if elements else None
            return Step("over", self._known, elements)
        return Step("leave", self._known, []) if self.landed is False else None

    def _news(self) -> list[bytes]:
        """The elements that follow on those that are told."""
        flight, buffer = self.flight, self.flight.buffer
        if self._is_marked:
            return []
        if buffer.is_long:
            return [said.TOO_LONG]
        heading = flight.heading
        elements = [said.batch_element(heading, batch) for batch in buffer.since(self._known)]
        if flight.is_over:
            elements.append(said.end_element(flight.outcome, flight.failure))
        return elements


def flight_keys(tenant: str, fingerprint: str, origin: str) -> list[str]:
    """Keys of the two scripts of a flight."""
    return [
        keys.flight_lease(tenant, fingerprint),
        keys.flight_wanted(tenant, fingerprint),
        keys.flight_batches(tenant, fingerprint, origin),
    ]
