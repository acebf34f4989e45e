"""The output filter along one reply: it leaves clean, or ends where a rule stops it.

Where a rule blocks, all before the match goes out and nothing of it; then every choice that is
still open ends with the finish reason `content_filter`, and nothing follows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from serve_app.core.screening import Released
from serve_app.core.trail import Trail
from serve_app.core.types import Chunk
from serve_app.filters.base import Filter
from serve_app.steps.sieve import Sieve, says_something
from serve_app.steps.survey import ARGUMENTS, Key, Survey
from serve_app.wire.stopped import cut_body, cut_short, said_by

_ORDER = ("reasoning_content", "reasoning", "content", "refusal", ARGUMENTS)
"""In which a caller reads the texts of a choice."""


class OutputGuard:
    """Filters one reply.

    Args:
        guards: places of the answer that rules look at, as the verdict on the request said.
        system: what must not be told; see `Tail.system`.
    """

    def __init__(
        self,
        filter_stage: Filter,
        tenant: str,
        trail: Trail,
        path: str = "",
        guards: Sequence[str] = ("output",),
        system: tuple[str, ...] = (),
    ) -> None:
        self._sieve = Sieve(filter_stage, tenant, path, guards, system)
        self._trail = trail
        self._open: set[int] = set()
        self._found: Counter[tuple[str, str]] = Counter()
        self.rules: set[str] = set()
        """Digests of the rules that were applied: more than one where a policy just changed."""
        self.warnings: dict[str, None] = {}
        """Names of the rules that the caller is to be told of."""
        self.blocked = ""
        """Name of the rule that ended the answer."""

    async def check(self, chunks: list[Chunk]) -> list[Chunk]:
        """What of this batch (and of what was held before) may go out now."""
        if self.blocked:
            return []
        seen, read = await self._sieve.read(chunks)
        if not read:
            self._follow(chunks)
            return chunks
        stopped: list[Key] = []
        for key, released in read.items():
            self.rules.add(released.rules)
            if released.findings:
                self._note(released)
            if released.blocked:
                stopped.append(key)
        if stopped:
            return self._stop(chunks, seen, read, stopped)
        self._follow(chunks)
        return [chunk for chunk in chunks if says_something(chunk)]

    def close(self) -> None:
        """The reply is over: what was found goes into the trail."""
        for (rule, action), count in self._found.items():
            self._trail.note("output_filter", action, rule=rule, count=count)
        self._found.clear()

    @property
    def found(self) -> dict[str, int]:
        """What rules matched, by finding."""
        counts: dict[str, int] = {}
        for (rule, _), count in self._found.items():
            counts[rule] = counts.get(rule, 0) + count
        return counts

    def _note(self, released: Released) -> None:
        for finding in released.findings:
            self._found[finding.rule, finding.action] += finding.count
        self.warnings.update(dict.fromkeys(released.warnings))

    def _follow(self, chunks: list[Chunk]) -> None:
        """Know which choices are open."""
        for chunk in chunks:
            for choice in chunk.choices:
                if choice.finish_reason is None:
                    self._open.add(choice.index)
                else:
                    self._open.discard(choice.index)

    def _stop(
        self, chunks: list[Chunk], seen: Survey, read: dict[Key, Released], stopped: list[Key]
    ) -> list[Chunk]:
        first = min(stopped, key=lambda key: (seen.places[key][0].chunk, _ORDER.index(key.field)))
        self.blocked = read[first].blocked
        at = seen.places[first][0].chunk
        if chunks[at].whole:
            return [_cut(chunks[at], read, stopped)]
        out = [chunk for chunk in chunks[:at] if says_something(chunk)]
        self._follow(out)
        if text := read[first].text:
            out.append(said_by(chunks[at], first.choice, first.field, text, first.call))
        out.append(cut_short(self.blocked, chunks[at], {*self._open, first.choice}))
        return out


def _cut(whole: Chunk, read: dict[Key, Released], stopped: list[Key]) -> Chunk:
    """A whole reply without what its choices say from a match on."""
    for index in dict.fromkeys(key.choice for key in stopped):
        keys = sorted(
            (key for key in stopped if key.choice == index),
            key=lambda key: _ORDER.index(key.field),
        )
        delta = next(choice.delta for choice in whole.choices if choice.index == index)
        said = {
            name: text
            for name in _ORDER[: _ORDER.index(keys[0].field) + 1]
            if name != ARGUMENTS and (text := getattr(delta, name))
        }
        cut_body(whole, index, read[keys[0]].blocked, said)
    return whole
