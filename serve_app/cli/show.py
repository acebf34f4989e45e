"""How progress looks: a live list on a terminal, a line per change everywhere else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from serve_app.cli.life.launch import Show
from serve_app.cli.life.records import Status, StepRecord

_MARKS = {"done": "[green]✓[/]", "skipped": "[dim]-[/]", "failed": "[red]✗[/]"}
_DETAIL_EVERY_S = 5.0
_BAR_WIDTH = 30


@contextmanager
def progress(console: Console) -> Iterator[Show]:
    """A `Show` for the block; what it showed last stays on the screen."""
    if not console.is_terminal:
        yield _Lines(console).show
        return
    spinner = Spinner("dots")
    with Live(console=console, refresh_per_second=8, transient=False) as live:
        yield lambda status: live.update(_render(status, spinner))


def only_new(show: Show) -> Show:
    """Shows steps that begin from now on: those before are on the screen already."""
    before: list[int] = []

    def wrapped(status: Status) -> None:
        if not before:
            before.append(len(status.steps))
        show(msgspec.structs.replace(status, steps=status.steps[before[0] :]))

    return wrapped


def _render(status: Status, spinner: Spinner) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    for step in status.steps:
        running = step.state == "running"
        mark = spinner if running else Text.from_markup(_MARKS[step.state])
        table.add_row(mark, step.name, f"{_seconds(step):.0f} s", _detail(step))
    return Group(table)


def _detail(step: StepRecord) -> RenderableType:
    text = Text(step.detail, style="dim", overflow="ellipsis", no_wrap=True)
    if step.state != "running" or step.share is None:
        return text
    return Columns([ProgressBar(total=1.0, completed=step.share, width=_BAR_WIDTH), text])


def _seconds(step: StepRecord) -> float:
    return time.time() - step.began if step.state == "running" else step.seconds


class _Lines:
    """A line when a step begins or ends, and now and then while its detail changes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown: dict[int, tuple[str, str, float | None]] = {}
        self._shown_at: dict[int, float] = {}

    def show(self, status: Status) -> None:
        for number, step in enumerate(status.steps):
            if self._is_due(number, step):
                self._shown[number] = (step.state, step.detail, step.share)
                self._shown_at[number] = time.monotonic()
                self._console.print(_line(step), markup=False, highlight=False, soft_wrap=True)

    def _is_due(self, number: int, step: StepRecord) -> bool:
        state, *before = self._shown.get(number, ("", "", None))
        if state != step.state:
            return True
        waited = time.monotonic() - self._shown_at[number]
        return before != [step.detail, step.share] and waited >= _DETAIL_EVERY_S


def _line(step: StepRecord) -> str:
    detail = f": {step.detail}" if step.detail else ""
    if step.state == "running":
        share = "" if step.share is None else f" {step.share:.0%}"
        return f"{step.name} ...{detail}{share}"
    return f"{step.name} {step.state} after {step.seconds:.1f} s{detail}"
