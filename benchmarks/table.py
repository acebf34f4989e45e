"""The results as tables: plain rows first, so that a terminal and a document show the same."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from benchmarks.bars import Figure, Verdict, added_p50, chunks, cpu, judge, most_rps
from benchmarks.outcome import Figures, Outcome, figures

NONE = "-"
OURS = ("bare", "default", "cached", "deployed")
PEERS = ("litellm", "litellm-redis", "portkey", "smg")


class Table(NamedTuple):
    title: str
    head: list[str]
    rows: list[list[str]]

    def markdown(self) -> str:
        lines = [f"### {self.title}", "", _row(self.head), _row(["---"] * len(self.head))]
        return "\n".join([*lines, *map(_row, self.rows)])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def tables(outcomes: Sequence[Outcome]) -> list[Table]:
    """What was measured, the ratios to the peers, and the bars."""
    measured = {outcome.name: figures(outcome) for outcome in outcomes}
    found = [throughput(outcomes), footprint(outcomes), behaviours(outcomes)]
    found += [ratios(measured), bars(judge(measured))]
    return [table for table in found if table.rows]


def throughput(outcomes: Sequence[Outcome]) -> Table:
    connections = sorted({load.connections for o in outcomes for load in o.loads})
    head = ["requests/s at", *(f"{c} conn." for c in connections), "CPU s / 1,000", "chunks/s"]
    rows = []
    for outcome in outcomes:
        made = figures(outcome)
        cpu_s = made.cpu_s_per_1k if outcome.ready_s else None
        cells = [*(made.rps.get(c) for c in connections), cpu_s, made.chunks_s]
        rows.append([_title(outcome), *map(number, cells)])
    return Table("Throughput", head, rows)


def footprint(outcomes: Sequence[Outcome]) -> Table:
    """Of what was started here: the upstream itself adds nothing to itself."""
    head = ["", "added p50 ms", "added p99 ms", "ready s", "idle MB", "loaded MB"]
    rows = []
    for outcome in outcomes:
        if outcome.ready_s or outcome.error:
            made = figures(outcome)
            cells = [made.added_p50_ms, made.added_p99_ms, made.ready_s]
            cells += [made.pss_idle_mb, made.pss_loaded_mb]
            rows.append([_title(outcome), *map(number, cells)])
    return Table("Latency at 10 requests/s, start and proportional memory", head, rows)


def _title(outcome: Outcome) -> str:
    return outcome.title + (" (!)" if outcome.wrong() else "")


def behaviours(outcomes: Sequence[Outcome]) -> Table:
    """What clients and upstream see when the other side goes."""
    head = [
        "",
        "client sees of a stream that the upstream cuts",
        "upstream of a client that leaves",
    ]
    rows = [
        [outcome.title, _cuts(outcome), _leaves(outcome)] for outcome in outcomes if outcome.cuts
    ]
    return Table("When somebody leaves", head, rows)


def _cuts(outcome: Outcome) -> str:
    seen = Counter(cut.sees for cut in outcome.cuts)
    if len(seen) == 1:
        return next(iter(seen))
    return "; ".join(f"{what} ({n} of {len(outcome.cuts)})" for what, n in seen.most_common())


def _leaves(outcome: Outcome) -> str:
    cancelled = [leave for leave in outcome.leaves if leave.cancelled]
    if not cancelled:
        return "reads the stream to its end"
    took = statistics.median(leave.ms for leave in cancelled if leave.ms is not None)
    return f"cancelled {len(cancelled)} of {len(outcome.leaves)}, after {took:,.0f} ms"


def ratios(measured: Mapping[str, Figures]) -> Table:
    head = ["this gateway", "to", "requests/s", "CPU", "added p50", "chunks/s"]
    rows = [
        [ours, peer, *(_ratio(f, measured[ours], measured[peer]) for f in _COMPARED)]
        for ours in OURS
        for peer in PEERS
        if ours in measured and peer in measured
    ]
    return Table("Ratios (most connections)", head, rows)


_COMPARED: tuple[Figure, ...] = (most_rps, cpu, added_p50, chunks)


def _ratio(figure: Figure, ours: Figures, theirs: Figures) -> str:
    above, below = figure(ours), figure(theirs)
    if above is None or below is None or below <= 0:
        return NONE
    return number(above / below) + "x"


def bars(verdicts: Sequence[Verdict]) -> Table:
    head = ["set-up", "to", "figure", "bar", "measured", ""]
    return Table("Bars", head, [_verdict(verdict) for verdict in verdicts])


def _verdict(verdict: Verdict) -> list[str]:
    bar = verdict.bar
    word = {True: "pass", False: "MISSED", None: "not measured"}[verdict.passed]
    measured = NONE if verdict.ratio is None else f"{number(verdict.ratio)}x"
    asked = f"{bar.sense} {number(bar.ratio)}x"
    return [bar.subject, bar.peer, bar.what, asked, measured, word]


def number(value: float | None) -> str:
    """Three figures, or all of them before the point."""
    if value is None:
        return NONE
    size = abs(value)
    places = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3
    return f"{value:,.{places}f}"
