"""The security desk on a request's way: judged on the way in, guarded on the way out."""

from __future__ import annotations

from serve_app.core.errors import Blocked
from serve_app.core.screening import Names, Verdict
from serve_app.core.types import Chunk
from serve_app.filters.base import Filter
from serve_app.passage import Passage
from serve_app.steps.outgoing import OutputGuard
from serve_app.steps.restorer import Restorer
from serve_app.wire import openai


class Screening:
    """Takes requests and replies to the filter."""

    def __init__(self, filter_stage: Filter) -> None:
        self._filter = filter_stage

    async def judge(self, way: Passage, names: Names) -> None:
        """Have a request judged, and change it as the verdict says.

        Args:
            names: placeholders that its conversation has already.

        Raises:
            Blocked: a rule refused it. Nothing of what it says is in the error.
        """
        since = way.ask.trail.elapsed_ms()
        texts = openai.texts_of(way.request, way.facts.identity.tenant, way.ask.path, names)
        [verdict] = await self._filter.check_input([texts])
        way.ask.trail.note("input_filter", _decision(verdict), since)
        for finding in verdict.findings:
            way.ask.trail.note(
                "input_filter", finding.action, rule=finding.rule, count=finding.count
            )
        if verdict.action == "block":
            raise Blocked(
                f"The request was refused by the rule {verdict.rule!r}.", param="messages"
            )
        self._take(way, verdict, names)

    def _take(self, way: Passage, verdict: Verdict, names: Names) -> None:
        way.filter_rules = verdict.rules
        way.guards, way.system = verdict.guards, verdict.system
        way.names, way.new_names = names + verdict.vault, verdict.vault
        way.facts.warnings = [*verdict.warnings]
        if verdict.texts is not None:
            way.request = openai.with_texts(way.request, verdict.texts)
        if verdict.canary:
            way.request = openai.with_canary(way.request, verdict.canary)

    def gate(self, way: Passage) -> Gate:
        """What the reply to a request leaves by."""
        guard = None
        if way.guards:
            tenant, ask = way.facts.identity.tenant, way.ask
            guard = OutputGuard(self._filter, tenant, ask.trail, ask.path, way.guards, way.system)
        return Gate(way, guard)


def _decision(verdict: Verdict) -> str:
    if verdict.action == "block":
        return "blocked"
    return "passed" if verdict.texts is None else "changed"


class Gate:
    """One reply on its way out: filtered, and for its caller with real values in it."""

    def __init__(self, way: Passage, guard: OutputGuard | None) -> None:
        self._facts = way.facts
        self._trail = way.ask.trail
        self._guard = guard
        self._took_ms = 0.0
        self._restorer = Restorer(way.names) if way.names else None

    @property
    def rules(self) -> set[str]:
        """Digests of the rules that it has passed."""
        return set() if self._guard is None else self._guard.rules

    async def check(self, chunks: list[Chunk]) -> list[Chunk]:
        """What of a batch may be told: to be remembered, kept and sent."""
        guard = self._guard
        if guard is None:
            return chunks
        since = self._trail.elapsed_ms()
        clean = await guard.check(chunks)
        self._took_ms += self._trail.elapsed_ms() - since
        self._facts.blocked = guard.blocked
        return clean

    async def restored(self, chunks: list[Chunk]) -> list[Chunk]:
        """The caller's copy of what may be told."""
        return chunks if self._restorer is None else await self._restorer.restored(chunks)

    def close(self) -> None:
        """The reply is over: what was found is noted."""
        if self._guard is not None:
            decision = "blocked" if self._guard.blocked else "passed"
            since = self._trail.elapsed_ms() - self._took_ms
            self._trail.note("output_filter", decision, since)
            self._guard.close()
            known = self._facts.warnings
            self._facts.warnings = [*dict.fromkeys([*known, *self._guard.warnings])]
