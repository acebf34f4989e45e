"""One batch from its order to its output: survey, resume, ask, join. The order of things is here.

A run may be killed anywhere. Results are in parts, the output appears whole by renaming, and then
the report; whoever runs the same order again goes on from what is there.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from serve_app.batch.caller import Terms
from serve_app.batch.cluster import clean, connected
from serve_app.batch.collector import Collector
from serve_app.batch.failure import USAGE, BatchFailed
from serve_app.batch.formats import format_of
from serve_app.batch.joined import Join
from serve_app.batch.order import Order, fingerprint
from serve_app.batch.parts import Parts
from serve_app.batch.places import Place
from serve_app.batch.progress import State, Watcher
from serve_app.batch.report_file import ReportFile
from serve_app.batch.results import Report, Tally
from serve_app.batch.signals import Interrupted
from serve_app.batch.summary import Status, Summary, summarise
from serve_app.batch.survey import Survey, survey
from serve_app.core.clock import Clock
from serve_app.core.money import usd


class Ending(Struct):
    """How the asking ended."""

    status: Status = "done"
    why: str = ""
    is_braked: bool = False
    """Whoever asks knows it, and begins nothing more."""


class Batch:
    """Args:
    key: of the gateway; empty: none.
    watcher: is told how it goes.
    """

    def __init__(self, order: Order, key: str, watcher: Watcher, clock: Clock) -> None:
        self._order = order
        self._key = key
        self._watcher = watcher
        self._clock = clock
        self._output = Place.at(order.output)
        self._parts = Parts(self._output)
        self._report = ReportFile(self._output)
        self._run = Tally()
        self._began: float | None = None
        self._restored = 0

    def run(self) -> Summary:
        """Do what is left of it.

        Raises:
            BatchFailed: it cannot be begun, or not be ended.
        """
        format_of(self._output.name, "--output")
        self._watcher.says(f"Reading {self._order.input}")
        found = survey(self._order)
        terms = self._order.terms() | {"input": found.identity()}
        if (before := self._done_before(fingerprint(terms))) is not None:
            return before
        with self._parts.held():
            return self._work(found, terms)

    def _done_before(self, wanted: str) -> Summary | None:
        """The report of a batch like this that has ended; nothing is to be done then."""
        if self._order.overwrite or not self._output.exists():
            return None
        before = self._report.read()
        if before is None or before.fingerprint != wanted:
            if before is None and self._parts.exists():
                return None  # killed between the output and its report
            raise BatchFailed(
                f"{self._output.path} exists and is of another batch: --overwrite, or another -o",
                USAGE,
            )
        if not (self._order.retry_errors and before.failed):
            return before
        if not self._parts.exists():
            raise BatchFailed(f"{self._parts.path} is gone: --overwrite does all rows anew", USAGE)
        return None

    def _work(self, found: Survey, terms: dict[str, object]) -> Summary:
        order = self._order
        if order.overwrite and self._report.exists():  # if not, a run before us has removed it
            self._parts.clear()
            self._report.remove()
        self._parts.open(terms, found.rows, order.part_rows, replace=order.overwrite)
        collector = Collector(self._parts, found.rows, self._clock)
        collector.restore(without_errors=order.retry_errors)
        collector.take(found.bad)
        self._restored = collector.tally.done
        if self._restored > len(found.bad):
            self._watcher.says(f"Going on: {self._restored} of {found.rows} rows are done")
        ending = Ending() if collector.complete else self._ask(found, collector)
        return self._end(found, collector, ending, fingerprint(terms))

    def _ask(self, found: Survey, collector: Collector) -> Ending:
        """Ask for what is left, until all is done or something ends it."""
        if why := self._reached(collector.tally, found.rows):
            return Ending("stopped", why)
        try:
            self._watcher.says("Starting")
            with connected(self._order.ray, self._output.path):
                return self._follow(self._reports(found, collector), found, collector)
        except Interrupted as signal:
            return Ending("interrupted", str(signal))
        finally:
            self._watcher.close()

    def _follow(self, reports: Iterator[Report], found: Survey, collector: Collector) -> Ending:
        """Keep what comes. Once no more is begun, what runs is still waited for."""
        ending, received = Ending(), 0
        self._began = self._clock.monotonic()
        self._watcher.at(self._state(found, collector))
        try:
            for report in reports:
                received += len(report.results)
                self._run.add(collector.take(report.results))
                self._watcher.at(self._state(found, collector))
                ending = self._ending(ending, report, found.rows, collector)
                if self._is_last(ending, report, received):
                    break
        finally:  # before Ray ends, which takes longer than a stopped job may
            collector.flush()
        if not ending.why and not collector.complete:
            raise BatchFailed("Ray Data ended before every row was answered; run it again")
        return Ending() if collector.complete else ending

    def _ending(self, before: Ending, report: Report, rows: int, collector: Collector) -> Ending:
        """The first reason to end counts."""
        why = report.stopped or self._reached(collector.tally, rows)
        if before.why or not why:
            return before
        self._watcher.says(f"Ending: {why}")
        return Ending("stopped", why, is_braked=bool(report.stopped))

    @staticmethod
    def _is_last(ending: Ending, report: Report, received: int) -> bool:
        """Nothing more is on its way, or nothing holds back what is asked."""
        return bool(ending.why) and (not ending.is_braked or 0 <= report.answered <= received)

    def _reports(self, found: Survey, collector: Collector) -> Iterator[Report]:
        # Here, not above: Ray reads its environment when it is imported.
        from serve_app.batch import engines, flow

        order, tally = self._order, collector.tally
        if order.via == "vllm":
            plan = engines.plan(order, cluster_gpus=flow.gpus())
            return flow.through_engines(found, collector.done, plan, order.max_tokens)
        budget, errors = order.budget_micro_usd, order.errors_allowed(found.rows)
        return flow.through_graph(
            found,
            collector.done,
            Terms.of(order, self._key),
            order.requests_at_once(),
            None if budget is None else budget - tally.cost_micro_usd,
            None if errors is None else errors - tally.failed,
        )

    def _reached(self, tally: Tally, rows: int) -> str:
        """The cap that is reached, empty if none is."""
        budget, errors = self._order.budget_micro_usd, self._order.errors_allowed(rows)
        if budget is not None and tally.cost_micro_usd >= budget:
            return f"the budget of ${usd(budget)} is spent"
        if errors is not None and tally.failed > errors:
            return (
                f"{tally.failed} rows failed, more than --max-errors {self._order.max_errors} "
                "allows; raise it, or do them again with --retry-errors"
            )
        return ""

    def _end(self, found: Survey, collector: Collector, ending: Ending, wanted: str) -> Summary:
        seconds = 0.0 if self._began is None else self._clock.monotonic() - self._began
        if ending.status == "done":
            self._watcher.says(f"Writing {self._output.path}")
            Join(found, self._parts, self._order.prefix).write(self._output)
        summary = summarise(
            status=ending.status,
            why=ending.why,
            output=self._output.path,
            fingerprint=wanted,
            rows=found.rows,
            total=collector.tally,
            run=self._run,
            seconds=seconds,
        )
        if ending.status == "done":
            self._report.write(summary)
            self._tidy(summary)
        return summary

    def _tidy(self, summary: Summary) -> None:
        """Parts go, unless they are wanted or some rows may be tried again."""
        clean(self._output.path)
        if not self._order.keep_parts and not summary.failed:
            self._parts.remove()

    def _state(self, found: Survey, collector: Collector) -> State:
        began = self._clock.monotonic() if self._began is None else self._began
        return State(
            rows=found.rows,
            done=collector.tally.done,
            failed=collector.tally.failed,
            restored=self._restored,
            cost_micro_usd=collector.tally.cost_micro_usd,
            elapsed_s=self._clock.monotonic() - began,
        )
