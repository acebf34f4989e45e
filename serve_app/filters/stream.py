"""One rule along a text: whatever the pieces it comes in, the same text goes out.

What a finder calls undecided is held back until more of the text, or its end, decides it; the
rest goes on at once. A whole text is a stream of one piece, so that input and output are read by
the same code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from serve_app.filters import escapes
from serve_app.filters.base import Finder, Match

Replace = Callable[[str, str], str]
"""A kind and the text that was found, to what stands in its place. In arguments of tool calls it
must hold neither quotes nor backslashes."""


class Step(NamedTuple):
    """What became of a piece."""

    out: str
    before: str
    """Context for the next piece."""
    held: str
    kinds: Sequence[str] = ()
    """Of each match that is decided."""
    changed: bool = False
    blocked: bool = False
    """The text ends here, before the match."""


class Span(NamedTuple):
    """What a rule does with the ranges that its finder finds."""

    finder: Finder
    replace: Replace | None = None
    """None: the text stays as it is."""
    blocks: bool = False

    def step(self, before: str, held: str, new: str, *, final: bool) -> Step:
        """Read on in a plain text."""
        text = before + held + new if held or before else new
        start, end = len(before), len(text)
        if start == end:
            return Step("", before, "")
        finder = self.finder
        cut = end if final else finder.undecided(text, start)
        if cut <= start:
            return Step("", before, text[start:])
        found = finder.find(text, start)
        if found and found[0].start < cut:
            return self._apply(text, start, cut, found)
        return Step(text[start:cut], text[max(0, cut - finder.before) : cut], text[cut:])

    def _apply(self, text: str, start: int, cut: int, found: list[Match]) -> Step:
        parts: list[str] = []
        kinds: list[str] = []
        position = start
        for match in found:
            if match.start >= cut:
                break
            kinds.append(match.kind)
            cut = max(cut, match.end)
            if self.blocks:
                return Step(text[start : match.start], "", "", kinds, blocked=True)
            if self.replace is not None:
                parts.append(text[position : match.start])
                parts.append(self.replace(match.kind, text[match.start : match.end]))
                position = match.end
        parts.append(text[position:cut])
        before = text[max(0, cut - self.finder.before) : cut]
        return Step("".join(parts), before, text[cut:], kinds, self.replace is not None)

    def step_json(self, before: str, held: str, new: str, *, final: bool) -> Step:
        """Read on in arguments of a tool call, which stay JSON."""
        raw = held + new
        before = before or escapes.OUTSIDE
        seen = escapes.shown(raw, final=final)
        text, start = before + seen.text, len(before)
        cut = len(text) if final else self.finder.undecided(text, start)
        if cut <= start:
            return Step("", before, raw)
        found = [match for match in self.finder.find(text, start) if match.start < cut]
        parts: list[str] = []
        position = start
        for match in found:
            cut = max(cut, match.end)
            first, last = seen.written(match.start - start), seen.written(match.end - start)
            if self.blocks:
                return Step(raw[:first], "", "", [match.kind], blocked=True)
            if self.replace is not None:
                parts.append(raw[seen.written(position - start) : first])
                inside = escapes.is_inside(text[: match.start])
                parts.append(self._replaced(raw[first:last], match.kind, inside=inside))
                position = match.end
        end = seen.written(cut - start)
        parts.append(raw[seen.written(position - start) : end])
        context = escapes.context(text, cut, self.finder.before)
        changed = self.replace is not None and bool(found)
        return Step("".join(parts), context, raw[end:], [m.kind for m in found], changed)

    def _replaced(self, raw: str, kind: str, *, inside: bool) -> str:
        """A match replaced, quotes left where they are: what stands between them is."""
        assert self.replace is not None
        parts = escapes.split(raw)
        if len(parts) == 1 and not inside:  # a number
            return f'"{self.replace(kind, raw)}"'
        for at, part in enumerate(parts):
            if part and inside == (at % 2 == 0):
                parts[at] = self.replace(kind, escapes.unquoted(part))
        return '"'.join(parts)
