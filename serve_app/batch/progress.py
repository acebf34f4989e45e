"""How it goes, told to whoever watches: a bar, lines, JSON for programs, or nothing."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import IO, Final, Protocol

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from serve_app.batch.order import Show
from serve_app.core.clock import Clock
from serve_app.core.money import usd

_FIRST_MINUTES_S: Final = 300.0
_OFTEN_S, _SELDOM_S = 5.0, 30.0
"""Between two lines, in the first minutes and after them: a log of days stays readable."""
_REDRAW_S: Final = 0.2


class State(Struct, frozen=True):
    """How far it is."""

    rows: int
    done: int
    failed: int = 0
    restored: int = 0
    """Rows that earlier runs had done."""
    cost_micro_usd: int = 0
    elapsed_s: float = 0.0
    """Of this run's work."""

    @property
    def rate(self) -> float:
        """Rows a second in this run."""
        return (self.done - self.restored) / self.elapsed_s if self.elapsed_s > 0 else 0.0

    @property
    def eta_s(self) -> float | None:
        """None while nobody can know."""
        return (self.rows - self.done) / self.rate if self.rate else None

    def words(self) -> str:
        """Without the number of rows."""
        eta = "" if self.eta_s is None else f", {timedelta(seconds=round(self.eta_s))} left"
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{self.rate:.1f} rows/s{eta}, ${usd(self.cost_micro_usd)}{failed}"


class Watcher(Protocol):
    """Is told how it goes, as often as something changes."""

    def says(self, text: str) -> None:
        """Something that happens once."""

    def at(self, state: State) -> None: ...

    def close(self) -> None: ...


class Quiet:
    """Tells nothing."""

    def says(self, text: str) -> None: ...

    def at(self, state: State) -> None: ...

    def close(self) -> None: ...


class _Paced:
    """Lets through what is due."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began = clock.monotonic()
        self._next = self._began

    def is_due(self, state: State) -> bool:
        now = self._clock.monotonic()
        if now < self._next and state.done < state.rows:
            return False
        self._next = now + (_OFTEN_S if now - self._began < _FIRST_MINUTES_S else _SELDOM_S)
        return True


class Lines:
    """A line now and then, for logs."""

    def __init__(self, stream: IO[str], clock: Clock) -> None:
        self._stream = stream
        self._pace = _Paced(clock)

    def says(self, text: str) -> None:
        self._write(text)

    def at(self, state: State) -> None:
        if self._pace.is_due(state):
            share = state.done / state.rows
            self._write(f"{state.done}/{state.rows} rows ({share:.0%}), {state.words()}")

    def close(self) -> None: ...

    def _write(self, text: str) -> None:
        self._stream.write(text + "\n")
        self._stream.flush()


class JsonLines:
    """A JSON object a line: `{"says": ...}` and `{"state": {...}}`."""

    def __init__(self, stream: IO[str], clock: Clock) -> None:
        self._stream = stream
        self._pace = _Paced(clock)

    def says(self, text: str) -> None:
        self._write({"says": text})

    def at(self, state: State) -> None:
        if self._pace.is_due(state):
            self._write({"state": msgspec.to_builtins(state)})

    def close(self) -> None: ...

    def _write(self, line: dict[str, object]) -> None:
        self._stream.write(msgspec.json.encode(line).decode() + "\n")
        self._stream.flush()


class Bar:
    """A bar in a terminal."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("rows, {task.description}"))
        self._console = Console(stderr=True)
        self._progress = Progress(*columns, console=self._console, refresh_per_second=4)
        self._task: TaskID | None = None
        self._next = 0.0

    def says(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def at(self, state: State) -> None:
        if self._task is None:
            self._progress.start()
            self._task = self._progress.add_task("", total=state.rows)
        now = self._clock.monotonic()
        if now >= self._next or state.done == state.rows:
            self._next = now + _REDRAW_S
            self._progress.update(self._task, completed=state.done, description=state.words())

    def close(self) -> None:
        self._progress.stop()


def watcher(show: Show, clock: Clock) -> Watcher:
    """What fits; `auto` is a bar where somebody looks on, and lines elsewhere."""
    if show == "auto":
        show = "bar" if sys.stderr.isatty() else "lines"
    if show == "bar":
        return Bar(clock)
    if show == "json":
        return JsonLines(sys.stdout, clock)
    return Quiet() if show == "quiet" else Lines(sys.stderr, clock)
