"""The output filter along one reply: chunks in, the same chunks out, clean.

A stream and a whole reply take the same way. The filter holds back what could still become a
match; everything else leaves at once, and chunks that the filter did not touch leave as the
bytes they came in.
"""

from __future__ import annotations

from typing import NamedTuple

from serve_app.core.trail import Trail
from serve_app.core.types import Chunk, Released, Tail
from serve_app.filters.base import Filter
from serve_app.wire.reply import rewrite

FIELDS = ("content", "reasoning_content", "reasoning", "refusal")
"""Text fields of a delta that a caller reads; each is a text of its own to the filter."""

_THOUGHTS = frozenset({"reasoning_content", "reasoning"})


class _Key(NamedTuple):
    choice: int
    field: str


class _Place(NamedTuple):
    """Where a piece of text stands in a batch: which chunk, and its text."""

    chunk: int
    text: str


class OutputGuard:
    """Filters one reply. `found` counts what rules matched, by rule name."""

    def __init__(self, filter_stage: Filter, tenant: str, trail: Trail) -> None:
        self._filter = filter_stage
        self._tenant = tenant
        self._trail = trail
        self._held: dict[_Key, str] = {}
        self._thinks = False
        self.found: dict[str, int] = {}
        self.rules: set[str] = set()
        """Digests of the rules that were applied: more than one where a policy just changed."""

    async def check(self, chunks: list[Chunk]) -> list[Chunk]:
        """What of this batch (and of what was held before) may go out now."""
        places, finished = _survey(chunks)
        ends = self._ends(chunks, places, finished)
        for key in self._held:
            if key in ends:
                places.setdefault(key, [])
        if not places:
            return chunks
        keys = list(places)
        tails = [self._tail(key, places[key], key in ends) for key in keys]
        for key, released in zip(keys, await self._filter.check_output(tails), strict=True):
            self._apply(chunks, key, places[key], released, ends)
        return [chunk for chunk in chunks if _says_something(chunk)]

    def _ends(
        self, chunks: list[Chunk], places: dict[_Key, list[_Place]], finished: dict[int, list[int]]
    ) -> dict[_Key, int]:
        """The texts that are over, and the chunk with which each is.

        What is held must not come out after what follows it: the last word of a thought after
        the answer, of an answer after a call.
        """
        if not self._thinks:
            self._thinks = any(key.field in _THOUGHTS for key in places)
        if not (finished or self._thinks):
            return {}
        answered = _answered(chunks) if self._thinks else {}
        ends: dict[_Key, int] = {}
        for key in {*places, *self._held}:
            last = places[key][-1].chunk if key in places else -1
            at = answered.get(key.choice, -1) if key.field in _THOUGHTS else -1
            if at <= last:
                at = next((at for at in finished.get(key.choice, ()) if at >= last), -1)
            if at >= 0:
                ends[key] = at
        return ends

    def _tail(self, key: _Key, places: list[_Place], final: bool) -> Tail:
        new = "".join([place.text for place in places])
        return Tail(self._held.get(key, ""), new, final, self._tenant)

    def _apply(
        self,
        chunks: list[Chunk],
        key: _Key,
        places: list[_Place],
        released: Released,
        ends: dict[_Key, int],
    ) -> None:
        self.rules.add(released.rules)
        before = self._held.pop(key, "")
        if released.held:
            self._held[key] = released.held
        if released.changed:
            self._count(released)
        elif not before and not released.held:
            return
        if not places:  # the text ends here and only what was held is left of it
            places = [_Place(ends[key], "")]
        for place, text in zip(places, _spread(before, places, released), strict=True):
            if text != place.text:
                rewrite(chunks[place.chunk], {key.choice: text}, key.field)

    def _count(self, released: Released) -> None:
        for finding in released.findings:
            self.found[finding.rule] = self.found.get(finding.rule, 0) + finding.count
            self._trail.note("output_filter", finding.action, rule=finding.rule)


def _survey(chunks: list[Chunk]) -> tuple[dict[_Key, list[_Place]], dict[int, list[int]]]:
    """Texts of a batch by choice and field, and the chunks in which a choice ends or calls a
    tool."""
    places: dict[_Key, list[_Place]] = {}
    finished: dict[int, list[int]] = {}
    for at, chunk in enumerate(chunks):
        for choice in chunk.choices:
            delta = choice.delta
            if choice.finish_reason is not None or chunk.whole or delta.tool_calls:
                finished.setdefault(choice.index, []).append(at)
            for field in FIELDS:
                if text := getattr(delta, field):
                    places.setdefault(_Key(choice.index, field), []).append(_Place(at, text))
    return places, finished


def _answered(chunks: list[Chunk]) -> dict[int, int]:
    """The first chunk of each choice that ends its thought: an answer, or a signature."""
    found: dict[int, int] = {}
    for at, chunk in enumerate(chunks):
        for choice in chunk.choices:
            delta = choice.delta
            if delta.content or delta.refusal or delta.reasoning_details:
                found.setdefault(choice.index, at)
    return found


def _spread(before: str, places: list[_Place], released: Released) -> list[str]:
    """The released text, piece by piece over the chunks it came in.

    An unchanged text keeps its pieces: only the first grows by what was held before, and the
    last ones shrink by what is held now. A changed text leaves in the first chunk.
    """
    texts = [place.text for place in places]
    if released.changed:
        return [released.text] + [""] * (len(texts) - 1)
    texts[0] = before + texts[0]
    surplus = len(released.held)
    for at in range(len(texts) - 1, -1, -1):
        cut = min(surplus, len(texts[at]))
        texts[at] = texts[at][: len(texts[at]) - cut]
        surplus -= cut
        if not surplus:
            break
    return texts


def _says_something(chunk: Chunk) -> bool:
    """False for a chunk whose only content was held back or moved to another chunk."""
    if chunk.usage is not None or chunk.whole or not chunk.choices or chunk.has_content():
        return True
    return any(c.finish_reason is not None or c.delta.role for c in chunk.choices)
