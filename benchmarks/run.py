"""Measures this gateway beside its peers, in one run: `python -m benchmarks.run [--quick]`.

Loopback only, every stretch bounded. Results go to benchmarks/results/ as JSON; the table and
the bars are printed at the end.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import gateway, needs, report
from benchmarks.bars import judge
from benchmarks.bench import QUICK, Bench, Effort
from benchmarks.contenders import Contender, peers, references
from benchmarks.install import RECIPES, is_installed
from benchmarks.outcome import figures
from benchmarks.places import RESULTS, cache_folder
from benchmarks.ports import PortTakenError
from benchmarks.upstream import Upstream

BROKEN_OFF = 130
MISSED = 3
"""Exit code where `--check` is given and a bar was missed."""


def main() -> int:
    arguments = _arguments()
    console = Console()
    scratch = arguments.peers / "run"
    everyone = [*references(), *peers(arguments.peers, scratch)]
    everyone += gateway.setups(scratch, arguments.replicas)
    problem = _problem(arguments, everyone)
    if problem:
        console.print(problem, style="red", markup=False)
        return 1
    chosen = _chosen(arguments.only, everyone)
    effort = QUICK if arguments.quick else Effort()
    run = report.Run(report.this_machine(), report.now(), effort, arguments.replicas)
    try:
        _measure(chosen, run, scratch, arguments.out, console)
    except PortTakenError as error:
        console.print(str(error), style="red", markup=False)
        return 1
    except KeyboardInterrupt:
        console.print("broken off; what was measured so far:")
        report.show(run, console)
        return BROKEN_OFF
    report.show(run, console)
    console.print(f"written: {arguments.out}", markup=False)
    return _exit_code(run, arguments.check)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short: to see that all of it works")
    parser.add_argument("--only", metavar="NAMES", help="comma-separated: " + ", ".join(_NAMES))
    parser.add_argument("--replicas", type=int, default=1, help="of this gateway's ingress")
    parser.add_argument("--peers", type=Path, default=cache_folder(), help="where they lie")
    parser.add_argument("--out", type=Path, default=RESULTS / "latest.json", help="JSON file")
    parser.add_argument("--check", action="store_true", help=f"exit {MISSED} if a bar is missed")
    return parser.parse_args()


_NAMES = ("direct", "nginx", "litellm", "litellm-redis", "portkey", "smg", *gateway.SETUPS)


def _chosen(only: str | None, everyone: Sequence[Contender]) -> list[Contender]:
    wanted = only.split(",") if only else _NAMES
    return [contender for contender in everyone if contender.name in wanted]


def _problem(arguments: argparse.Namespace, everyone: Sequence[Contender]) -> str | None:
    """Why nothing can be measured, with the way out; None if it can."""
    unknown = set(arguments.only.split(",")) - set(_NAMES) if arguments.only else set()
    if unknown:
        return f"--only: unknown {', '.join(sorted(unknown))}; known: {', '.join(_NAMES)}"
    lacking = needs.missing()
    if lacking:
        return needs.advice(lacking)
    wanted = {contender.peer for contender in _chosen(arguments.only, everyone)}
    absent = [r.name for r in RECIPES if r.name in wanted and not is_installed(r, arguments.peers)]
    if absent:
        command = f"python -m benchmarks.install --into {arguments.peers}"
        return f"not installed: {', '.join(absent)}. Run: {command}"
    return None


def _measure(
    chosen: Sequence[Contender], run: report.Run, scratch: Path, out: Path, console: Console
) -> None:
    """Fill `run`, saved after each contender, so that a broken-off run is not lost."""
    scratch.mkdir(parents=True, exist_ok=True)
    with _progress(console) as progress, Upstream(scratch) as upstream:
        task = progress.add_task("", total=len(chosen) * run.effort.stretches())
        bench = Bench(
            upstream,
            scratch,
            run.effort,
            say=lambda line: progress.console.print(line, markup=False, highlight=False),
            step=lambda: progress.advance(task),
        )
        for index, contender in enumerate(chosen, 1):
            progress.update(task, description=contender.title)
            run.outcomes.append(bench.measure(contender))
            progress.update(task, completed=index * run.effort.stretches())
            run.save(out)


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, TimeElapsedColumn(), console=console)


def _exit_code(run: report.Run, check: bool) -> int:
    if any(outcome.error for outcome in run.outcomes):
        return 1
    verdicts = judge({outcome.name: figures(outcome) for outcome in run.outcomes})
    return MISSED if check and any(v.passed is False for v in verdicts) else 0


if __name__ == "__main__":
    raise SystemExit(main())
