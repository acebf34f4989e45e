"""One request on its way through the loop.

    question -> corridor -> answer -> calls that run here? -> make them -> question with results
                                             `-> none, or a limit: the caller's answer

Streams and bodies ask the same and call the same; only how an answer is read differs.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

from msgspec.structs import replace

from serve_app.core.errors import UpstreamFailed
from serve_app.core.tools import ToolStep
from serve_app.core.types import Chunk, Message
from serve_app.loop.calling import Calling
from serve_app.loop.ending import is_usage_alone, split, whole_of, with_usage, without_calls
from serve_app.loop.question import Question
from serve_app.loop.said import Hearing, Said, name_of, whole_said
from serve_app.loop.seam import Seam
from serve_app.loop.total import Total
from serve_app.passage import Ask, Reply

Json = dict[str, Any]
Answering = Callable[[Ask], Awaitable[Reply]]

_RUN = frozenset({"", "stop", "tool_calls", "function_call"})
"""Finish reasons of answers whose calls are whole: not those of a token limit or a filter."""


class Turn:
    """
    Args:
        answer: the corridor.
        ask: the caller's request.
        calling: makes the calls.

    Raises:
        BadRequest: the request wants what goes together with no tools that run here.
    """

    def __init__(self, answer: Answering, ask: Ask, calling: Calling) -> None:
        self._answer = answer
        self._caller = ask
        self._calling = calling
        self._bounds = calling.bounds
        self._question = Question(ask.request, calling.box)
        self._total = Total()
        self._total.facts.tool_lists = calling.box.listings
        self._added: list[Json] = []
        self._is_last = False

    # ------------------------------------------------------------- one answer

    async def _step(self) -> Reply:
        """Ask the model, once. Close the reply."""
        stop = self._bounds.next_step(self._total.facts.cost_micro_usd)
        if stop:
            self._is_last = True
            self._total.facts.tool_stop = stop
            self._caller.trail.note("tools", "last", limit=stop, step=self._bounds.step)
        reply = await self._answer(self._ask())
        self._total.hear(reply.facts)
        return reply

    def _ask(self) -> Ask:
        ask, number = self._caller, self._bounds.step
        question, is_last = self._question, self._is_last
        request = (
            question.first(is_last=is_last)
            if number == 1
            else question.next(self._added, is_last=is_last)
        )
        changed = replace(ask, request=request, keeps=self._keeps)
        if not self._calling.box.is_pure:  # a stored answer calls nothing
            changed.control = replace(ask.control, read=False, write=False)
        if ask.once and number > 1:
            changed.once = f"{ask.once}.{number}"
        return changed

    def _keeps(self, said: Message) -> bool:
        """A turn is remembered whole: with its last answer, which calls nothing here."""
        called = [call.function.name for call in said.tool_calls or () if call.function]
        if any(name in self._calling.box.tools for name in called):
            return False
        return self._caller.keeps is None or self._caller.keeps(said)

    def _calls(self, said: Said) -> list[Json]:
        """The calls that are to be made after an answer. Where the model called functions of its
        caller beside them, it will do so again, knowing the results: its caller is handed calls
        that nothing else is to be done for."""
        whole = said.finish in _RUN and not self._total.facts.blocked
        return self._calling.here(said) if whole and not self._is_last else []

    def _announce(self, said: Said, calls: list[Json]) -> list[ToolStep]:
        steps = self._calling.announced(said, calls)
        self._total.facts.tool_steps.extend(steps)
        return steps

    async def _make(self, said: Said, calls: list[Json], steps: list[ToolStep]) -> None:
        results = await self._calling.made(calls, steps)
        self._added += [said.message(calls), *results]

    # ------------------------------------------------------------------ a body

    async def whole(self) -> Reply:
        """The answer as one body."""
        before: list[Said] = []
        while True:
            reply = await self._step()
            async with aclosing(reply):
                chunk = reply.whole
            self._total.close(reply.facts)
            if chunk is None:
                raise UpstreamFailed("The backend sent no whole reply", code="empty_reply")
            said = whole_said(chunk, self._bounds.step)
            if not (calls := self._calls(said)):
                return Reply(self._total.facts, whole=self._ended(chunk, said, before))
            before.append(said)
            await self._make(said, calls, self._announce(said, calls))

    def _ended(self, chunk: Chunk, said: Said, before: list[Said]) -> Chunk:
        dropped = [name_of(call) for call in self._calling.here(said)]
        if not before and not dropped:
            return chunk
        left = [call for call in said.calls if name_of(call) not in dropped] if dropped else None
        return whole_of(chunk, before, left, self._total.facts.usage if before else None)

    # ---------------------------------------------------------------- a stream

    async def stream(self) -> Reply:
        """The answer as it comes, once the first of it has begun."""
        first = await self._step()
        return Reply(
            self._total.facts,
            chunks=self._stream(first),
            source=first,
            leave=self._calling.box.close,
        )

    async def _stream(self, reply: Reply) -> AsyncGenerator[list[Chunk], None]:
        seam = Seam(parts=not self._caller.shows_tools)
        while True:
            hearing, held = Hearing(self._bounds.step), list[Chunk]()
            try:
                assert reply.chunks is not None
                async for batch in reply.chunks:
                    if out := _heard(batch, hearing, held, seam):
                        yield out
            finally:
                try:
                    await reply.aclose()
                finally:
                    self._total.close(reply.facts)
            said = hearing.said()
            if not (calls := self._calls(said)):
                for chunk in self._rest(held, said, seam):
                    yield [chunk]
                return
            steps = self._announce(said, calls)
            if self._caller.shows_tools:
                yield []
            await self._make(said, calls, steps)
            if self._caller.shows_tools:
                yield []
            seam.next_step()
            reply = await self._step()

    def _rest(self, held: list[Chunk], said: Said, seam: Seam) -> list[Chunk]:
        """How the stream ends."""
        if here := self._calling.here(said):
            numbered = zip(said.indexes, said.calls, strict=True)
            held = without_calls(held, {at for at, call in numbered if call in here})
        total = self._total
        joined = [made for chunk in held if (made := seam.joined(chunk)) is not None]
        return [with_usage(one, total.facts.usage) for one in joined] if total.steps > 1 else joined


def _heard(batch: list[Chunk], hearing: Hearing, held: list[Chunk], seam: Seam) -> list[Chunk]:
    """What of a batch goes out at once; the rest is held."""
    out: list[Chunk] = []
    for chunk in batch:
        hearing.add(chunk)
        parts = split(chunk)
        if parts.later is not None:
            if parts.later.usage is not None and held and is_usage_alone(held[-1]):
                held.pop()  # some providers send it with every piece
            held.append(parts.later)
        if parts.now is not None and (made := seam.joined(parts.now)) is not None:
            out.append(made)
    return out
