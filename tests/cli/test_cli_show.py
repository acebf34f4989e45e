"""How progress looks, on a terminal and in a file."""

from __future__ import annotations

import io
import time

from rich.console import Console

from serve_app.cli.life.records import Status, StepRecord
from serve_app.cli.show import only_new, progress


def consoles(*, terminal: bool) -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, force_terminal=terminal, width=100), out


def test_a_file_gets_a_line_when_a_step_begins_and_ends() -> None:
    console, out = consoles(terminal=False)
    step = StepRecord("Ray", time.time())
    with progress(console) as show:
        show(Status(steps=[step]))
        step.detail = "still starting"
        show(Status(steps=[step]))  # too soon for a line of its own
        step.state, step.seconds, step.detail = "done", 3.14, ""
        show(Status(steps=[step]))
        show(Status(steps=[step]))
    assert out.getvalue().splitlines() == ["Ray ...", "Ray done after 3.1 s"]


def test_a_terminal_sees_steps_with_mark_seconds_and_share() -> None:
    console, out = consoles(terminal=True)
    steps = [
        StepRecord("Valkey", time.time(), "done", "", 0.2),
        StepRecord("Embedded model", time.time(), "running", "convert", share=0.5),
        StepRecord("Ray", time.time(), "failed", "no [port]", 2.0),
    ]
    with progress(console) as show:
        show(Status(steps=steps))
    shown = out.getvalue()
    assert all(word in shown for word in ("✓", "✗", "Valkey", "convert", "━", "no [port]", "2 s"))


def test_only_steps_that_begin_from_now_on_are_shown() -> None:
    seen: list[list[str]] = []
    show = only_new(lambda status: seen.append([step.name for step in status.steps]))
    steps = [StepRecord("Ray", 0.0)]
    show(Status(steps=list(steps)))
    show(Status(steps=[*steps, StepRecord("Drain", 0.0)]))
    assert seen == [[], ["Drain"]]
