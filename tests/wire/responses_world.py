"""Responses for the tests of their shape, checked with the official client's own types."""

from __future__ import annotations

import json
from typing import Any, get_args

import msgspec
from openai.types.responses import Response, ResponseStreamEvent
from wire_chunks import Told, data_of

from serve_app.core.types import Chunk
from serve_app.wire.responses.request import Asked, decode
from serve_app.wire.responses.shape import Responses
from serve_app.wire.responses.terms import terms_of

NOW = 1_700_000_000
ID = "resp_" + "ab" * 22 + "0000"

Json = dict[str, Any]

_EVENTS = {
    kind: event
    for event in get_args(get_args(ResponseStreamEvent)[0])
    for kind in get_args(event.model_fields["type"].annotation)
}
"""The client's types by the names of events; a union of them all would be tried one by one."""


def asked(**fields: Any) -> Asked:
    body = {"model": "m", "input": "hello", **fields}
    return decode(json.dumps(body).encode())


def shape(**fields: Any) -> Responses:
    return Responses(lambda: NOW, terms_of(asked(**fields), NOW, ID))


def body_of(chunk: Chunk, told: Told | None = None, **fields: Any) -> Json:
    """The body of a whole reply; the client's type takes it."""
    body: Json = msgspec.json.decode(shape(**fields).whole(chunk, told or Told()))
    Response.model_validate(body)
    return body


async def events_of(*batches: list[Chunk], told: Told | None = None, **fields: Any) -> list[Json]:
    """The events of a stream; the client's types take them, and they are numbered."""

    async def coming() -> Any:
        for batch in batches:
            yield batch

    stream = shape(**fields).events(coming(), told or Told())
    return read(b"".join([piece async for piece in stream]).decode())


def read(stream: str) -> list[Json]:
    events: list[Json] = [json.loads(data) for data in data_of(stream)]
    names = [line[7:] for line in stream.split("\n") if line.startswith("event: ")]
    assert names == [event["type"] for event in events]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    for event in events:
        _EVENTS[event["type"]].model_validate(event)
    return events


def final(events: list[Json]) -> Json:
    """The response in the last event."""
    response: Json = events[-1]["response"]
    return response


def kinds(events: list[Json]) -> list[str]:
    """Types of events without what all have in front."""
    return [event["type"].removeprefix("response.") for event in events]
