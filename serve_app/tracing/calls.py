"""Calls of backends as client spans, put together from the several notes of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from serve_app.core.trail import Note
from serve_app.observe.observer import RequestEnd
from serve_app.tracing import names
from serve_app.tracing.sketch import Mark, Sketch, Value, plain

_ANSWERS: Final = frozenset({"answered", "recovered"})
_NO_FAULT: Final = frozenset({*_ANSWERS, "hedge_lost", "cancelled"})
_SAME_MS: Final = 2.0
"""Two notes of one call say when it began; so far apart may these be."""
_OF_CALL: Final = frozenset({"backend", "model", "ms", "span"})


class Calls:
    """The calls of one request.

    Args:
        hidden: facts of notes that are not told.
    """

    def __init__(
        self, end: RequestEnd, providers: Mapping[str, str], hidden: frozenset[str]
    ) -> None:
        self._end = end
        self._providers = providers
        self._hidden = hidden | _OF_CALL
        self._made: list[Sketch] = []
        self._answering: Sketch | None = None
        self._answers = 0

    def attempt(self, note: Note) -> None:
        """A call began to answer, or came to an end."""
        earlier = self._known(note) if note.decision == "interrupted" else None
        call = earlier or self._began(note)
        call.ended_ms = note.at_ms
        call.facts[f"{names.OURS}attempt"] = note.decision
        if note.decision in _ANSWERS:
            self._answering, self._answers = call, self._answers + 1
            call.facts[names.RESPONSE_MODEL] = str(note.facts["model"])
            if self._end.streamed:
                call.facts[names.FIRST_CHUNK] = round(note.took_ms / 1000, 6)
        elif note.decision not in _NO_FAULT:
            self._failed(call, note)

    def answer(self, note: Note) -> None:
        """The answer that was begun is over."""
        call = self._answering
        if call is None:
            return
        call.ended_ms = max(call.ended_ms, note.at_ms)
        if tokens := note.facts.get("tokens"):
            call.facts[names.OUTPUT_TOKENS] = tokens
        if note.decision != "ok":
            call.marks.append(Mark(f"answer {note.decision}", note.at_ms, {}))

    def finished(self) -> list[Sketch]:
        """All calls. The request's input is that of its call, where there was one."""
        end, call = self._end, self._answering
        if call is not None and self._answers == 1 and end.prompt_tokens:
            call.facts[names.INPUT_TOKENS] = end.prompt_tokens
        return self._made

    def _began(self, note: Note) -> Sketch:
        backend, model = str(note.facts["backend"]), str(note.facts["model"])
        operation = names.EMBEDDINGS if "embeddings" in self._end.route else names.CHAT
        facts: dict[str, Value] = {
            names.OPERATION: operation,
            names.PROVIDER: self._providers.get(backend, backend),
            names.REQUEST_MODEL: model,
            f"{names.OURS}backend": backend,
        }
        if self._end.streamed:
            facts[names.STREAM] = True
        span_id = str(note.facts.get("span", ""))
        call = Sketch(
            f"{operation} {model}", "client", note.at_ms - note.took_ms, note.at_ms, facts, span_id
        )
        self._made.append(call)
        return call

    def _known(self, note: Note) -> Sketch | None:
        """The call that a later note of it is about."""
        began = note.at_ms - note.took_ms
        span_id = str(note.facts.get("span", ""))
        for call in reversed(self._made):
            if span_id and call.span_id == span_id:
                return call
            same = call.facts[f"{names.OURS}backend"] == note.facts["backend"]
            same = same and call.facts[names.REQUEST_MODEL] == note.facts["model"]
            if same and not span_id and abs(call.began_ms - began) < _SAME_MS:
                return call
        return None

    def _failed(self, call: Sketch, note: Note) -> None:
        status = note.facts.get("status") or 0
        call.facts[names.ERROR] = str(status or note.decision)
        if status:
            call.facts[names.STATUS] = status
        call.error = note.decision
        call.facts |= plain(note.facts, names.OURS, self._hidden | {"status"})
