"""One response while it is made: chunks of a chat reply in, events and the response object out.

A stream and a body are made by this same code; of a body the events are thrown away.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from serve_app.core.errors import GatewayError
from serve_app.core.types import Chunk, Usage
from serve_app.wire.responses.output import Output
from serve_app.wire.responses.probable import probable
from serve_app.wire.responses.terms import Terms
from serve_app.wire.responses.usage import usage_of
from serve_app.wire.shape import Answered

Json = dict[str, Any]

encode = msgspec.json.encode
_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
"""Finish reasons that mean that something is missing; in Responses' words."""


class Making:
    """`feed` it chunks, `finish` it, and send what `drain` has meanwhile.

    Args:
        now: Unix seconds.
    """

    def __init__(self, terms: Terms, answered: Answered, now: Callable[[], float]) -> None:
        self.terms = terms
        self._answered = answered
        self._now = now
        self._out: list[bytes] = []
        self._sequence = 0
        self._model = ""
        self._finish: str | None = None
        self._usage: Usage | None = None
        request = terms.request
        self._output = Output(
            self._tell,
            terms.id,
            sums_up=request.wants_summary,
            seals=request.includes("reasoning.encrypted_content"),
        )

    def begin(self, model: str = "") -> None:
        """Tell that there is a response. A second time does nothing."""
        if self._model:
            return
        self._model = model or self._answered.model or self.terms.request.model
        head = self.terms.head("in_progress", self._model)
        self._tell("response.created", response=head)
        self._tell("response.in_progress", response=head)

    def feed(self, chunks: list[Chunk]) -> None:
        """What came of the reply.

        Raises:
            UpstreamFailed: it is longer than is held.
        """
        self._note_ran()
        for chunk in chunks:
            self._usage = chunk.usage or self._usage
            self.begin(chunk.model)
            for choice in chunk.choices:
                if choice.index == 0:
                    self._output.take(choice.delta, probable(choice.logprobs))
                    self._finish = choice.finish_reason or self._finish

    def finish(self) -> Json:
        """The whole response. Its last event is told by `close`."""
        self._note_ran()
        self.begin()
        reason = _INCOMPLETE.get(self._finish or "")
        status = "incomplete" if reason else "completed"
        output = self._output.end(status)
        made = {**self.terms.head(status, self._model), "output": output}
        made["usage"] = usage_of(self._usage or self._answered.usage)
        if reason:
            made["incomplete_details"] = {"reason": reason}
        else:
            made["completed_at"] = int(self._now())
        return made

    def fail(self, error: GatewayError) -> Json:
        """The response as far as it came, and why it is not whole; told at once."""
        self.begin()
        made = {**self.terms.head("failed", self._model), "output": self._output.end("incomplete")}
        made["usage"] = usage_of(self._usage or self._answered.usage)
        made["error"] = error_of(error)
        return made

    def close(self, response: Json) -> None:
        """Tell of the end."""
        self._tell(f"response.{response['status']}", response=response)

    def tell_error(self, error: GatewayError, request_id: str) -> None:
        """An event that clients raise as an error: some by its type, some by what is nested."""
        fields = {"code": error.code, "message": error.message, "param": error.param}
        nested = {**fields, "type": error.type, "request_id": request_id}
        self._tell("error", **fields, error=nested)

    def drain(self) -> bytes:
        """The events since the last time, in one piece; maybe none."""
        out = b"".join(self._out)
        self._out.clear()
        return out

    def _note_ran(self) -> None:
        """Tools that ran here are told in the facts of a reply, beside its chunks."""
        lists = getattr(self._answered, "tool_lists", ())
        steps = getattr(self._answered, "tool_steps", ())
        if lists or steps:
            self.begin()
            self._output.note_ran(lists, steps)

    def _tell(self, event: str, **fields: Any) -> None:
        data = encode({"type": event, "sequence_number": self._sequence, **fields})
        self._sequence += 1
        self._out.append(b"event: %b\ndata: %b\n\n" % (event.encode(), data))


_CODES = {429: "rate_limit_exceeded", 400: "invalid_prompt", 403: "invalid_prompt"}


def error_of(error: GatewayError) -> Json:
    """An error as a response has it: clients know few codes; ours stands in the message's place
    of detail, under `type`."""
    code = _CODES.get(error.status, "server_error")
    return {"code": code, "message": error.message, "type": error.code, "param": error.param}
