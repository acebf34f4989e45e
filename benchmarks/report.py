"""A run as a file, and shown again: `python -m benchmarks.report FILE [--markdown]`."""

from __future__ import annotations

import argparse
import os
import platform
import time
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table as RichTable

from benchmarks.bench import Effort
from benchmarks.outcome import Outcome
from benchmarks.table import Table, tables

GIB = 1 << 30


@dataclass
class Run:
    """One benchmark run on one machine."""

    machine: str
    when: str
    effort: Effort
    replicas: int
    outcomes: list[Outcome] = field(default_factory=list)

    def save(self, path: Path) -> None:
        """Whole or not at all: a run that is broken off leaves the last whole file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_suffix(".part")
        scratch.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=1))
        scratch.replace(path)

    @staticmethod
    def load(path: Path) -> Run:
        return msgspec.json.decode(path.read_bytes(), type=Run)


def now() -> str:
    return time.strftime("%Y-%m-%d %H:%M %Z")


def this_machine() -> str:
    """Cores, processor, memory, kernel and Python, in one line."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    parts = [f"{os.cpu_count()} cores", _processor(), f"{memory:.0f} GiB"]
    parts += [f"Linux {platform.release()}", f"Python {platform.python_version()}"]
    return ", ".join(parts)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def show(run: Run, console: Console) -> None:
    """Tables on a terminal."""
    console.print(f"\n{run.machine}; {run.when}", markup=False, highlight=False)
    for table in tables(run.outcomes):
        console.print(_rich(table))
    for line in remarks(run):
        console.print(line, markup=False, highlight=False)


def remarks(run: Run) -> list[str]:
    """What a reader must know before trusting the figures."""
    lines = [f"(!) {o.title}: {reason}" for o in run.outcomes for reason in o.wrong()]
    noisy = sum(outcome.noisy for outcome in run.outcomes)
    if noisy:
        lines.append(f"In {noisy} stretches other programs used the machine.")
    return lines


def markdown(run: Run) -> str:
    """The same for a document."""
    seconds = f"{run.effort.repeats} x {run.effort.seconds:g} s a figure"
    head = f"{run.machine}; {run.when}; {seconds}; gateway replicas: {run.replicas}."
    parts = [head, *(table.markdown() for table in tables(run.outcomes)), *remarks(run)]
    return "\n\n".join(parts) + "\n"


def _rich(table: Table) -> RichTable:
    made = RichTable(title=table.title, title_justify="left")
    for index, name in enumerate(table.head):
        first = index == 0
        made.add_column(name, justify="left" if first else "right", no_wrap=first)
    for row in table.rows:
        style = {"pass": "green", "MISSED": "bold red"}.get(row[-1])
        made.add_row(*row, style=style)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description=__doc__)
    parser.add_argument("file", type=Path, help="a JSON file of benchmarks/results")
    parser.add_argument("--markdown", action="store_true", help="for docs/performance.md")
    arguments = parser.parse_args()
    run = Run.load(arguments.file)
    if arguments.markdown:
        print(markdown(run), end="")
    else:
        show(run, Console())


if __name__ == "__main__":
    main()
