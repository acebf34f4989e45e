"""The vitals of every model at every backend: written by who calls them, read by who plans."""

from __future__ import annotations

from serve_app.core.clock import Clock
from serve_app.core.types import Headroom, Reading
from serve_app.vitals.breaker import Breaker


class Vital:
    """One model at one backend, as this process and the others have seen it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.breaker = Breaker(clock)
        self.away = ""
        """Why it cannot be asked now; empty: it can."""
        self.headroom: Headroom | None = None
        self.running = 0

    def began(self) -> None:
        """A call is sent. Every `began` is followed by one `ended`."""
        self.running += 1

    def first_token(self, seconds: float) -> None:
        """The first content of a stream came, `seconds` after its call was sent."""

    def ended(self, *, ok: bool, seconds: float = 0.0, tokens: int = 0) -> None:
        """A call is over, whatever became of it.

        Args:
            ok: False: it counts as failed. A caller that left is no failure.
            seconds: from the first token to the last, 0 if not a stream.
            tokens: of the answer in that time.
        """
        self.running -= 1

    def first_token_quantile(self, quantile: float, min_samples: int) -> float | None:
        """Seconds to first token, None with fewer samples."""
        return None

    def reading(self) -> Reading:
        """The state of the moment, this process and what others shared taken together."""
        return Reading(running=self.running, is_open=self.breaker.is_open, away=self.away)


class Vitals:
    """The book: one `Vital` for each backend and model; their number is that of the config."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._vitals: dict[tuple[str, str], Vital] = {}

    def of(self, backend: str, model: str) -> Vital:
        vital = self._vitals.get((backend, model))
        if vital is None:
            vital = self._vitals[backend, model] = Vital(self._clock)
        return vital

    async def may_try(self, backend: str, model: str) -> bool:
        """Whether a call may be made now; True from an open breaker takes the one probe."""
        return self.of(backend, model).breaker.allows()
