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
        self.found: dict[str, int] = {}

    async def check(self, chunks: list[Chunk]) -> list[Chunk]:
        """What of this batch (and of what was held before) may go out now."""
        places, finished = _survey(chunks)
        for key in self._held:
            if key.choice in finished:
                places.setdefault(key, [])
        if not places:
            return chunks
        keys = list(places)
        tails = [self._tail(key, places[key], key.choice in finished) for key in keys]
        for key, released in zip(keys, await self._filter.check_output(tails), strict=True):
            self._apply(chunks, key, places[key], released, finished)
        return [chunk for chunk in chunks if _says_something(chunk)]

    def _tail(self, key: _Key, places: list[_Place], final: bool) -> Tail:
        new = "".join([place.text for place in places])
        return Tail(self._held.get(key, ""), new, final, self._tenant)

    def _apply(
        self,
        chunks: list[Chunk],
        key: _Key,
        places: list[_Place],
        released: Released,
        finished: dict[int, int],
    ) -> None:
        before = self._held.pop(key, "")
        if released.held:
            self._held[key] = released.held
        if released.changed:
            self._count(released)
        elif not before and not released.held:
            return
        if not places:  # the choice ends here and only held text is left of it
            places = [_Place(finished[key.choice], "")]
        for place, text in zip(places, _spread(before, places, released), strict=True):
            if text != place.text:
                rewrite(chunks[place.chunk], {key.choice: text}, key.field)

    def _count(self, released: Released) -> None:
        for finding in released.findings:
            self.found[finding.rule] = self.found.get(finding.rule, 0) + finding.count
            self._trail.note("output_filter", finding.action, rule=finding.rule)


def _survey(chunks: list[Chunk]) -> tuple[dict[_Key, list[_Place]], dict[int, int]]:
    """Texts of a batch by choice and field, and the chunk in which a choice ends."""
    places: dict[_Key, list[_Place]] = {}
    finished: dict[int, int] = {}
    for at, chunk in enumerate(chunks):
        for choice in chunk.choices:
            if choice.finish_reason is not None or chunk.whole:
                finished[choice.index] = at
            for field in FIELDS:
                if text := getattr(choice.delta, field):
                    places.setdefault(_Key(choice.index, field), []).append(_Place(at, text))
    return places, finished


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
