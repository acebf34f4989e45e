"""The texts of one reply on their way through a filter: chunks in, the same chunks out.

A stream and a whole reply take the same way. What the filter holds back leaves with a later
chunk; everything else leaves at once, and chunks that it did not touch leave as the bytes they
came in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from serve_app.core.screening import Held, Released, Tail
from serve_app.core.types import Chunk
from serve_app.steps.logprobs import Beside
from serve_app.steps.survey import ARGUMENTS, THOUGHTS, Key, Place, Survey, answered, survey
from serve_app.wire.reply import rewrite
from serve_app.wire.rewriting import rewrite_arguments, set_logprobs


class Reader(Protocol):
    async def check_output(self, batch: list[Tail]) -> list[Released]:
        """Read pieces of texts; what was held comes back with the next piece."""


class Sieve:
    """Reads one reply.

    Args:
        guards: the places that are read: `output`, `tool_arguments`.
        system: see `Tail.system`.
    """

    def __init__(
        self,
        reader: Reader,
        tenant: str,
        path: str = "",
        guards: Sequence[str] = ("output",),
        system: tuple[str, ...] = (),
    ) -> None:
        self._reader = reader
        self._tenant = tenant
        self._path = path
        self._texts = "output" in guards
        self._arguments = ARGUMENTS_PLACE in guards
        self._system = system
        self._held: dict[Key, Held] = {}
        self._beside: dict[int, Beside] = {}
        self._thinks = False

    async def read(self, chunks: list[Chunk]) -> tuple[Survey, dict[Key, Released]]:
        """Put what may go out of a batch (and of what was held before) in its chunks.

        Returns:
            What was in the batch, and what became of each text of it.
        """
        seen = survey(chunks, texts=self._texts, arguments=self._arguments)
        ends = self._ends(chunks, seen)
        for key in [key for key in self._held if key in ends and key not in seen.places]:
            if self._held[key].text:
                seen.places[key] = []
            else:
                del self._held[key]
        if not seen.places:
            return seen, {}
        keys = list(seen.places)
        tails = [self._tail(key, seen.places[key], key in ends) for key in keys]
        read = dict(zip(keys, await self._reader.check_output(tails), strict=True))
        for key, released in read.items():
            places = seen.places[key]
            if not places:  # the text ends here and only what was held is left of it
                places.append(Place(ends[key], ""))
            self._apply(chunks, key, places, released)
        return seen, read

    def _ends(self, chunks: list[Chunk], seen: Survey) -> dict[Key, int]:
        """The texts that are over, and the chunk with which each is.

        What is held must not come out after what follows it: the last word of a thought after
        the answer, of an answer after a call. Arguments of several calls may come in turns, so
        that they are over when the choice is.
        """
        places = seen.places
        if not self._thinks:
            self._thinks = any(key.field in THOUGHTS for key in places)
        if not (seen.called or self._thinks):
            return {}
        said = answered(chunks) if self._thinks else {}
        ends: dict[Key, int] = {}
        for key in {*places, *self._held}:
            last = places[key][-1].chunk if key in places else -1
            at = said.get(key.choice, -1) if key.field in THOUGHTS else -1
            if at <= last:
                over = seen.ended if key.field == ARGUMENTS else seen.called
                at = next((at for at in over.get(key.choice, ()) if at >= last), -1)
            if at >= 0:
                ends[key] = at
        return ends

    def _tail(self, key: Key, places: list[Place], final: bool) -> Tail:
        new = places[0].text if len(places) == 1 else "".join([place.text for place in places])
        place = ARGUMENTS_PLACE if key.field == ARGUMENTS else "output"
        return Tail(self._held.get(key), new, final, self._tenant, place, self._path, self._system)

    def _apply(
        self, chunks: list[Chunk], key: Key, places: list[Place], released: Released
    ) -> None:
        held = self._held.pop(key, None)
        before = "" if held is None else held.text
        waiting = ""
        if released.held is not None:
            self._held[key] = released.held
            waiting = released.held.text
        if not (released.changed or before or waiting):
            return
        texts = _spread(before, places, released, len(waiting))
        for place, text in zip(places, texts, strict=True):
            if text != place.text:
                _put(chunks[place.chunk], key, text)
        if key.field == "content":
            self._put_logprobs(chunks, key.choice, places, texts, changed=released.changed)

    def _put_logprobs(
        self,
        chunks: list[Chunk],
        choice: int,
        places: list[Place],
        texts: list[str],
        *,
        changed: bool,
    ) -> None:
        """Let the probabilities of tokens go out with their text."""
        for place, text in zip(places, texts, strict=True):
            chunk = chunks[place.chunk]
            given = next((c.logprobs for c in chunk.choices if c.index == choice), None)
            beside = self._beside.get(choice)
            if isinstance(given, dict):
                beside = beside or self._beside.setdefault(choice, Beside())
                beside.add(given)
            if beside is not None:
                if changed:
                    beside.forget()
                out = beside.out(len(text))
                if out is not None or isinstance(given, dict):
                    set_logprobs(chunk, {choice: out})


ARGUMENTS_PLACE = "tool_arguments"


def _put(chunk: Chunk, key: Key, text: str) -> None:
    if key.field == ARGUMENTS:
        rewrite_arguments(chunk, key.choice, key.call, text)
    else:
        rewrite(chunk, {key.choice: text}, key.field)


def _spread(before: str, places: list[Place], released: Released, surplus: int) -> list[str]:
    """The released text, piece by piece over the chunks it came in.

    An unchanged text keeps its pieces: only the first grows by what was held before, and the
    last ones shrink by what is held now. A changed text leaves in the first chunk.

    Args:
        surplus: characters that are held now.
    """
    texts = [place.text for place in places]
    if released.changed:
        return [released.text] + [""] * (len(texts) - 1)
    texts[0] = before + texts[0]
    for at in range(len(texts) - 1, -1, -1):
        cut = min(surplus, len(texts[at]))
        texts[at] = texts[at][: len(texts[at]) - cut]
        surplus -= cut
        if not surplus:
            break
    return texts


def says_something(chunk: Chunk) -> bool:
    """False for a chunk whose only content was held back or moved to another chunk."""
    if chunk.usage is not None or chunk.whole or not chunk.choices or chunk.has_content():
        return True
    return any(c.finish_reason is not None or c.delta.role for c in chunk.choices)
