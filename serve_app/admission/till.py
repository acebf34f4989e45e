"""The till: what requests need is reserved, all of it or nothing, in one call for many requests.

While one call is on its way, what comes meanwhile waits for the next: a lone request goes at
once, and under load a round trip serves dozens.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import secrets
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

from msgspec import Struct

from serve_app.core.clock import Clock
from serve_app.core.limits import Lease, Need, Scope, Used
from serve_app.store.client import Argument, Call, Store, StoreUnavailable

log = logging.getLogger(__name__)

_TRIP_CALLS = 64
"""In one round trip: a few milliseconds of Redis's time."""
_FIGURES = len(Used.__struct_fields__)


class Refusal(Struct, frozen=True):
    """Which limit is in the way of a request."""

    scope: Scope
    limit: str
    """`requests`, `input`, `output`, `tokens`, `parallel`, or a period of a budget."""
    wait_s: float | None
    """Seconds after which trying again makes sense; None: it never will."""


class Outcome(Struct, frozen=True):
    """Of one reservation: a lease, or why there is none; and what each scope has used by now."""

    lease: Lease | None
    used: tuple[Used, ...]
    refusal: Refusal | None = None


class _Waiting(Struct):
    tenant: str
    scopes: tuple[Scope, ...]
    need: Need
    name: str
    outcome: asyncio.Future[Outcome | StoreUnavailable]


class Till:
    """Reserves for the requests of one process.

    Args:
        lease_s: a lease that nobody renews ends after so long.
        settle: told of each lease when it is over.
    """

    def __init__(
        self, store: Store, clock: Clock, lease_s: float, settle: Callable[[Lease], None]
    ) -> None:
        self._store = store
        self._clock = clock
        self._lease_ms = round(lease_s * 1000)
        self._settle = settle
        self._writer = secrets.token_hex(6)
        self._number = 0
        self._waiting: deque[_Waiting] = deque()
        self._called = asyncio.Event()
        self._open: dict[str, tuple[Lease, float]] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to work; call it in the running loop."""
        if not self._tasks:
            loop, own = asyncio.get_running_loop(), contextvars.Context()
            self._tasks = [
                loop.create_task(self._run(), name="till", context=own),
                loop.create_task(self._keep_alive(), name="leases", context=own),
            ]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._tasks = []

    @property
    def open_leases(self) -> int:
        return len(self._open)

    async def reserve(self, tenant: str, scopes: tuple[Scope, ...], need: Need) -> Outcome:
        """Charge every scope with what a request needs, or none.

        Raises:
            StoreUnavailable: it is unknown whether it was charged; if it was, its lease ends.
        """
        outcome: asyncio.Future[Outcome | StoreUnavailable]
        outcome = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(tenant, scopes, need, self._named(), outcome))
        self._called.set()
        found = await outcome
        if isinstance(found, StoreUnavailable):
            raise StoreUnavailable(found.reason)
        return found

    async def look(self, scopes: Sequence[Scope]) -> list[Used]:
        """What scopes of one owner have used by now.

        Raises:
            StoreUnavailable
        """
        if not scopes:
            return []
        args: list[Argument] = ["look", *(scope.packed for scope in scopes)]
        return list(_figures((await self._store.script("ledger", _keys(scopes), args)).split()))

    def lend(self, tenant: str, scopes: tuple[Scope, ...], need: Need) -> Lease:
        """A lease that Redis does not know of; what is used is charged when it is over."""
        return Lease(self._named(), tenant, scopes, need, self._over, reserved=False)

    def _named(self) -> str:
        self._number += 1
        return f"{self._writer}.{self._number:x}"

    def _over(self, lease: Lease) -> None:
        self._open.pop(lease.name, None)
        self._settle(lease)

    async def _run(self) -> None:
        while True:
            await self._called.wait()
            self._called.clear()
            while self._waiting:
                count = min(len(self._waiting), _TRIP_CALLS)
                trip = [self._waiting.popleft() for _ in range(count)]
                try:
                    await self._send(trip)
                except asyncio.CancelledError:
                    for one in trip:
                        one.outcome.cancel()
                    raise
                except Exception as error:  # the till must go on, and the mistake be seen
                    log.exception("reservations failed")
                    _tell(trip, [StoreUnavailable(type(error).__name__)] * len(trip))

    async def _send(self, trip: list[_Waiting]) -> None:
        trip = [one for one in trip if not one.outcome.done()]
        try:
            replies = await self._store.scripts("ledger", [self._call(one) for one in trip])
        except StoreUnavailable as error:
            replies = [error] * len(trip)
        _tell(
            trip,
            [
                reply if isinstance(reply, StoreUnavailable) else self._read(one, reply)
                for one, reply in zip(trip, replies, strict=True)
            ],
        )

    def _call(self, one: _Waiting) -> Call:
        need = one.need
        args: list[Argument] = ["reserve", one.name, self._lease_ms]
        args += [need.input, need.output, need.cost_micro_usd]
        args += [scope.packed for scope in one.scopes]
        return _keys(one.scopes), args

    def _read(self, one: _Waiting, reply: bytes) -> Outcome:
        number, limit, wait_us, *figures = reply.split()
        used = tuple(_figures(figures))
        if (place := int(number)) == 0:
            lease = Lease(one.name, one.tenant, one.scopes, one.need, self._over)
            if any(scope.allowance.has_holds for scope in one.scopes):
                self._open[lease.name] = (lease, self._clock.monotonic())
            if one.outcome.done():  # whoever asked is gone
                lease.done()
            return Outcome(lease, used)
        wait = int(wait_us)
        refusal = Refusal(
            one.scopes[place - 1], limit.decode(), None if wait < 0 else wait / 1_000_000
        )
        return Outcome(None, used, refusal)

    async def _keep_alive(self) -> None:
        """Renew the leases of requests that take long."""
        period_s = self._lease_ms / 3000
        while True:
            await asyncio.sleep(period_s)
            now = self._clock.monotonic()
            old = [lease for lease, since in self._open.values() if now - since > period_s / 2]
            try:
                await self._renew(old)
            except StoreUnavailable as error:
                log.warning("%d leases could not be renewed: %s", len(old), error.reason)
            except Exception:  # the loop must live on, and the mistake be seen
                log.exception("leases could not be renewed")

    async def _renew(self, leases: list[Lease]) -> None:
        holds: dict[str, list[str]] = {}
        for lease in leases:
            for scope in lease.scopes:
                if scope.allowance.has_holds:
                    holds.setdefault(scope.holds, []).append(lease.hold)
        calls: list[Call] = [
            ([key], ["renew", self._lease_ms, len(some), *some]) for key, some in holds.items()
        ]
        for start in range(0, len(calls), _TRIP_CALLS):
            await self._store.scripts("ledger", calls[start : start + _TRIP_CALLS])


def _keys(scopes: Sequence[Scope]) -> list[str]:
    return [key for scope in scopes for key in (scope.state, scope.holds)]


def _figures(figures: list[bytes]) -> list[Used]:
    numbers = list(map(int, figures))
    return [Used(*numbers[i : i + _FIGURES]) for i in range(0, len(numbers), _FIGURES)]


def _tell(trip: Sequence[_Waiting], found: Sequence[Outcome | StoreUnavailable]) -> None:
    for one, outcome in zip(trip, found, strict=True):
        with suppress(asyncio.InvalidStateError):
            one.outcome.set_result(outcome)
