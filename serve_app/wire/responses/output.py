"""The output of a response while it is made: deltas of a chat reply in, items and events out.

Items stand in the order in which they were first heard of. Reasoning and texts are over when
something else begins; calls, whose pieces may come mixed, when the answer is.
"""

from __future__ import annotations

from collections.abc import Sequence

from serve_app.core.errors import UpstreamFailed
from serve_app.core.tools import ToolListing, ToolStep
from serve_app.core.types import Delta, ToolCallDelta
from serve_app.wire.responses.ids import output_id
from serve_app.wire.responses.parts import Call, Item, Message, Reasoning, Tell
from serve_app.wire.responses.probable import Json
from serve_app.wire.responses.ran import Listing, Ran

MAX_CHARS = 16 << 20
"""Of one answer; more is not held."""


class _Waiting:
    """A call that nobody has named yet."""

    def __init__(self) -> None:
        self.id = ""
        self.arguments: list[str] = []


class Output:
    """Args:
    response_id: whose output it is; the ids of its items come of it.
    sums_up: reasoning is shown as a summary.
    seals: what providers want back of reasoning is shown.
    """

    def __init__(self, tell: Tell, response_id: str, *, sums_up: bool, seals: bool) -> None:
        self._tell = tell
        self._response_id = response_id
        self._sums_up = sums_up
        self._seals = seals
        self._items: list[Item] = []
        self._open: Message | Reasoning | None = None
        self._calls: dict[int, Call] = {}
        self._waiting: dict[int, _Waiting] = {}
        self._chars = 0
        self._ran: list[Ran] = []
        self._lists = 0

    def note_ran(self, lists: Sequence[ToolListing], steps: Sequence[ToolStep]) -> None:
        """What is known of tools that run here; told as far as it is new."""
        for listing in lists[self._lists :]:
            self._lists += 1
            self._list(listing)
        for step in steps[len(self._ran) :]:
            self._leave()
            one = Ran(self._tell, *self._next("mcp"), step)
            self._ran.append(one)
            self._items.append(one)
            one.begin()
        for one in self._ran:
            one.hear()

    def _list(self, listing: ToolListing) -> None:
        one = Listing(self._tell, *self._next("mcpl"), listing)
        self._items.append(one)
        one.tell_all()

    def take(self, delta: Delta, logprobs: list[Json]) -> None:
        """What one chunk adds.

        Raises:
            UpstreamFailed: the answer is longer than is held.
        """
        if thought := delta.reasoning_content or delta.reasoning:
            self._count(thought)
            self._reasoning().think(thought)
        if self._seals and isinstance(delta.reasoning_details, list) and delta.reasoning_details:
            self._reasoning().note(delta.reasoning_details)
        if delta.content:
            self._count(delta.content)
            self._message().say(delta.content, logprobs)
        if delta.refusal:
            self._count(delta.refusal)
            self._message().refuse(delta.refusal)
        for call in delta.tool_calls or ():
            self._take_call(call)

    def end(self, status: str) -> list[Json]:
        """All items; those that were not over have this status.

        A complete answer has something in it, if only an empty text.
        """
        for at in sorted(self._waiting):
            self._named(at, self._waiting[at], "")
        self._waiting.clear()
        if status == "completed" and not any(isinstance(i, Message | Call) for i in self._items):
            self._message().say("", [])
        for item in self._items:
            item.close(status)
        self._open = None
        return [item.final for item in self._items]

    def _reasoning(self) -> Reasoning:
        if not isinstance(self._open, Reasoning):
            self._leave()
            at, id_ = self._next("rs")
            self._open = Reasoning(self._tell, at, id_, sums_up=self._sums_up, seals=self._seals)
            self._add(self._open)
        return self._open

    def _message(self) -> Message:
        if not isinstance(self._open, Message):
            self._leave()
            self._open = Message(self._tell, *self._next("msg"))
            self._add(self._open)
        return self._open

    def _take_call(self, delta: ToolCallDelta) -> None:
        name = "" if delta.function is None else delta.function.name or ""
        arguments = "" if delta.function is None else delta.function.arguments or ""
        self._count(arguments)
        if (call := self._calls.get(delta.index)) is not None:
            call.name += name
            call.call_id = delta.id or call.call_id
            if arguments:
                call.add(arguments)
            return
        waiting = self._waiting.setdefault(delta.index, _Waiting())
        waiting.id = delta.id or waiting.id
        if arguments:
            waiting.arguments.append(arguments)
        if name:
            self._named(delta.index, self._waiting.pop(delta.index), name)

    def _named(self, index: int, waiting: _Waiting, name: str) -> None:
        self._leave()
        at, id_ = self._next("fc")
        call_id = waiting.id or output_id(self._response_id, "call", at)
        call = self._calls[index] = Call(self._tell, at, id_, call_id, name)
        self._add(call)
        if waiting.arguments:
            call.add("".join(waiting.arguments))

    def _leave(self) -> None:
        if self._open is not None:
            self._open.close("completed")
            self._open = None

    def _next(self, kind: str) -> tuple[int, str]:
        at = len(self._items)
        return at, output_id(self._response_id, kind, at)

    def _add(self, item: Item) -> None:
        self._items.append(item)
        item.open()

    def _count(self, text: str) -> None:
        self._chars += len(text)
        if self._chars > MAX_CHARS:
            raise UpstreamFailed("The answer is too long to be held", code="reply_too_large")
