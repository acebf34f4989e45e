"""The vitals of every model at every backend: written by who calls them, read by who plans."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Protocol

from serve_app.core.clock import Clock
from serve_app.core.vital import Reading
from serve_app.vitals.breaker import Breaker
from serve_app.vitals.vital import Vital

__all__ = ["Peers", "Vital", "Vitals"]

ASK_AGAIN_S = 1.0
"""While another replica probes: how long until its outcome is asked for, should nobody tell."""


class Peers(Protocol):
    """The other replicas."""

    def changed(self) -> None:
        """Something changed here that the others should know at once."""

    async def claim_probe(self, backend: str, model: str) -> bool:
        """Take the probe of an open breaker; False if another replica has it."""


class Vitals:
    """The book: one `Vital` for each backend and model; their number is that of the config.

    Args:
        rng: spreads the rests of breakers, so that replicas do not come back all at once.
    """

    def __init__(self, clock: Clock, rng: Random | None = None) -> None:
        self._clock = clock
        self._rng = rng
        self._vitals: dict[tuple[str, str], Vital] = {}
        self._peers: Peers | None = None

    def __iter__(self) -> Iterator[Vital]:
        return iter(self._vitals.values())

    def share(self, peers: Peers | None) -> None:
        """Act together with other replicas from now on; None: alone."""
        self._peers = peers

    def of(self, backend: str, model: str) -> Vital:
        vital = self._vitals.get((backend, model))
        if vital is None:
            vital = Vital(backend, model, self._clock, self._rng, self._changed)
            self._vitals[backend, model] = vital
        return vital

    def readings(self) -> list[tuple[str, str, Reading]]:
        """Every model's backend, name and state, for metrics."""
        return [(vital.backend, vital.model, vital.reading()) for vital in self]

    async def may_try(self, backend: str, model: str) -> bool:
        """Whether a call may be made now; True from an open breaker takes the one probe.

        Asks the other replicas only where a probe is to be taken.
        """
        breaker = self.of(backend, model).breaker
        if not breaker.is_open:
            return True
        return breaker.allows() and await self._has_probe(backend, model, breaker)

    async def _has_probe(self, backend: str, model: str, breaker: Breaker) -> bool:
        """Whether the probe that this process has to give is also the only one of all."""
        if self._peers is None:
            return True
        try:
            is_ours = await self._peers.claim_probe(backend, model)
        except BaseException:
            breaker.give_back()
            raise
        if not is_ours and breaker.is_open:
            breaker.wait(ASK_AGAIN_S)
        return is_ours or not breaker.is_open

    def _changed(self) -> None:
        if self._peers is not None:
            self._peers.changed()
