"""One model at one backend: what happens to its calls goes in, how it is doing comes out."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from serve_app.core.clock import Clock
from serve_app.core.vital import Headroom, Reading
from serve_app.vitals.breaker import Breaker
from serve_app.vitals.fading import Fading
from serve_app.vitals.summary import GRID, Summary, aged
from serve_app.vitals.window import Window

MIN_STREAM_S = 0.02
"""An answer that took less came in one piece and says nothing of the model's speed."""

FRESH_S = 0.1
"""How long a reading holds while nothing happens; a plan reads every candidate."""

_NOBODY = Summary("", "")


class Vital:
    """One model at one backend, as this process and the others have seen it.

    Args:
        rng: spreads the breaker's rests.
        changed: called when the breaker, `away` or `down` changed by what happened here.
    """

    __slots__ = (
        "_attempts",
        "_away",
        "_changed",
        "_clock",
        "_down",
        "_first_tokens",
        "_headroom",
        "_headroom_at",
        "_others",
        "_read_at",
        "_reading",
        "_speed",
        "backend",
        "breaker",
        "model",
        "running",
        "version",
    )

    def __init__(
        self,
        backend: str,
        model: str,
        clock: Clock,
        rng: Random | None = None,
        changed: Callable[[], None] | None = None,
    ) -> None:
        self.backend = backend
        self.model = model
        self.breaker = Breaker(clock, rng, changed, self._recovered)
        self.running = 0
        """Calls under way in this process."""
        self.version = b""
        """Which state of the breaker that all replicas share was taken over last."""
        self._clock = clock
        self._changed = changed
        self._away = ""
        self._down: str | None = None
        self._headroom: Headroom | None = None
        self._headroom_at = 0.0
        self._first_tokens = Window()
        self._attempts = Fading()
        self._speed = Fading()
        self._others = _NOBODY
        self._reading: Reading | None = None
        self._read_at = 0.0

    @property
    def away(self) -> str:
        """Why its provider cannot be asked (key refused), as found out here; empty: it can."""
        return self._away

    @away.setter
    def away(self, why: str) -> None:
        if why != self._away:
            self._away = why
            self._tell()

    @property
    def down(self) -> str | None:
        """Why it is not up, empty if it is, as watched here; None: nobody watches it here."""
        return self._down

    @down.setter
    def down(self, why: str | None) -> None:
        if why != self._down:
            self._down = why
            self._tell()

    @property
    def headroom(self) -> Headroom | None:
        """What the provider's limits still allow, as this process was told; counted from now."""
        if self._headroom is None:
            return None
        return aged(self._headroom, self._clock.monotonic() - self._headroom_at)

    @headroom.setter
    def headroom(self, headroom: Headroom | None) -> None:
        self._headroom = headroom
        self._headroom_at = self._clock.monotonic()
        self._reading = None

    def began(self) -> None:
        """A call is sent. Every `began` is followed by one `ended`."""
        self.running += 1
        self._reading = None

    def first_token(self, seconds: float) -> None:
        """The first content of a stream came, `seconds` after its call was sent."""
        self._first_tokens.add(self._clock.monotonic(), seconds)
        self._reading = None

    def ended(self, *, ok: bool, seconds: float = 0.0, tokens: int = 0) -> None:
        """A call is over, whatever became of it.

        Args:
            ok: False: it counts as failed. A caller that left is no failure.
            seconds: from the first token to the last, 0 if not a stream.
            tokens: of the answer in that time.
        """
        self.running -= 1
        now = self._clock.monotonic()
        self._attempts.add(now, 0.0 if ok else 1.0, 1.0)
        if tokens > 0 and seconds >= MIN_STREAM_S:
            self._speed.add(now, tokens, seconds)
        self._reading = None

    def heard(self, others: Summary | None) -> None:
        """Take how the other replicas see it, all together; None: nobody tells."""
        self._others = others or _NOBODY
        self._reading = None

    def first_token_quantile(self, quantile: float, min_samples: int) -> float | None:
        """Seconds to first token over all replicas, None with fewer samples."""
        own = self._first_tokens.count(self._clock.monotonic())
        if own + self._others.firsts < max(min_samples, 1):
            return None
        return self._first_token_s(quantile, own)

    def summary(self) -> Summary:
        """What this process alone knows of it."""
        now = self._clock.monotonic()
        firsts = self._first_tokens.count(now)
        failed, attempts = self._attempts.at(now)
        tokens, seconds = self._speed.at(now)
        headroom = self.headroom
        return Summary(
            self.backend,
            self.model,
            self.running,
            failed,
            attempts,
            tokens,
            seconds,
            firsts,
            tuple([self._first_tokens.quantile(share) for share in GRID]) if firsts else (),
            self._away,
            self._down,
            headroom,
            now - self._headroom_at if headroom is not None else 0.0,
        )

    def reading(self) -> Reading:
        """The state of the moment, this process and what others shared taken together."""
        now = self._clock.monotonic()
        reading = self._reading
        # What happens to a breaker is not told here: near one that is open nothing is kept.
        if (
            reading is None
            or now - self._read_at > FRESH_S
            or reading.is_open
            or self.breaker.is_open
        ):
            reading = self._reading = self._read(now)
            self._read_at = now
        return reading

    def _recovered(self) -> None:
        """The breaker closed: failures of before say nothing of a backend that is well again."""
        self._attempts = Fading()
        self._reading = None

    def _read(self, now: float) -> Reading:
        others = self._others
        failed, attempts = self._attempts.at(now)
        tokens, seconds = self._speed.at(now)
        firsts = self._first_tokens.count(now)
        known = firsts + others.firsts > 0
        attempts += others.attempts
        seconds += others.seconds
        return Reading(
            first_token_p50_s=self._first_token_s(0.5, firsts) if known else None,
            first_token_p95_s=self._first_token_s(0.95, firsts) if known else None,
            tokens_per_s=(tokens + others.tokens) / seconds if seconds > 0.0 else None,
            # The rate of a single attempt fades as the attempt does.
            error_rate=(failed + others.failed) / max(attempts, 1.0),
            samples=round(attempts),
            running=self.running + others.running,
            open_for_s=self.breaker.left_s(),
            is_open=self.breaker.is_open,
            away=self._why_away(),
            headroom=self._freshest_headroom(now),
        )

    def _first_token_s(self, quantile: float, own: int) -> float:
        """A quantile over all replicas, each weighed by its samples; there must be some.

        Args:
            own: how many of the samples are this process's.
        """
        told = self._others.firsts
        if not told:
            return self._first_tokens.quantile(quantile)
        sum_s = told * self._others.first_token_s(quantile)
        if own:
            sum_s += own * self._first_tokens.quantile(quantile)
        return sum_s / (own + told)

    def _why_away(self) -> str:
        """What this process watches itself it knows best."""
        down = self._others.down if self._down is None else self._down
        return self._away or self._others.away or down or ""

    def _freshest_headroom(self, now: float) -> Headroom | None:
        own, told = self.headroom, self._others.headroom
        if own is None or told is None:
            return own or told
        return own if now - self._headroom_at <= self._others.headroom_age_s else told

    def _tell(self) -> None:
        self._reading = None
        if self._changed is not None:
            self._changed()
