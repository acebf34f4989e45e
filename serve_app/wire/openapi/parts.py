"""What operations are made of: parameters, bodies, answers and errors."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from serve_app.wire.openapi.schemas import ref

Json = dict[str, Any]

JSON: Final = "application/json"
EVENTS: Final = "text/event-stream"

KEYS: Final[list[Json]] = [{"bearer": []}, {"x-api-key": []}]
"""Where a key may stand; with both, the bearer's counts."""

_DESK: Final = (400, 401, 403, 404, 405, 408, 413, 429, 500, 503)
_MODEL: Final = (*_DESK, 502, 504)


def operation(
    name: str,
    summary: str,
    replies: Json,
    *,
    body: str = "",
    body_required: bool = True,
    parameters: list[Json] | None = None,
    needs_key: bool = True,
) -> Json:
    """One method of a path. `name` is unique: clients are named by it."""
    made: Json = {"operationId": name, "summary": summary, "responses": replies}
    if body:
        content = {JSON: {"schema": ref(body)}}
        made["requestBody"] = {"required": body_required, "content": content}
    if parameters:
        made["parameters"] = parameters
    made["security"] = KEYS if needs_key else []
    return made


def replies(*schemas: str, streams: bool = False, problem: str = "Problem") -> Json:
    """200 of one of these schemas, and what can go wrong at a route that asks a model."""
    return _replies(schemas, _MODEL, streams=streams, problem=problem)


def desk_replies(*schemas: str) -> Json:
    """The same of a route that asks no model."""
    return _replies(schemas, _DESK)


def house_replies(*schemas: str, statuses: tuple[int, ...] = ()) -> Json:
    """The same of a route that everybody may ask."""
    return _replies(schemas, (*statuses, 405, 500), problem="EitherProblem")


def _replies(
    schemas: tuple[str, ...],
    statuses: tuple[int, ...],
    *,
    streams: bool = False,
    problem: str = "Problem",
) -> Json:
    content: Json = {JSON: {"schema": any_of(*schemas)}}
    if streams:
        content[EVENTS] = {}
    found: Json = {"200": {"description": "OK", "content": content}}
    for status in sorted(statuses):
        found[str(status)] = {"$ref": f"#/components/responses/{problem}"}
        found[str(status)]["description"] = HTTPStatus(status).phrase
    return found


def any_of(*schemas: str) -> Json:
    """One of these schemas."""
    return ref(schemas[0]) if len(schemas) == 1 else {"anyOf": [ref(name) for name in schemas]}


def query(name: str, says: str, **schema: Any) -> Json:
    """A parameter of the query; text unless the schema says otherwise."""
    return {"in": "query", "name": name, "description": says,
            "schema": {"type": "string", **schema}}  # fmt: skip


def header(name: str, says: str, **schema: Any) -> Json:
    """A header that we understand."""
    return {**query(name, says, **schema), "in": "header"}


def path(name: str, **schema: Any) -> Json:
    """A part of the path."""
    return {"in": "path", "name": name, "required": True, "schema": {"type": "string", **schema}}


def problems() -> Json:
    """The answers that `replies` refers to."""
    return {
        "Problem": _problem("Error"),
        "AnthropicProblem": _problem("AnthropicError"),
        "EitherProblem": _problem("Error", "AnthropicError"),
    }


def _problem(*schemas: str) -> Json:
    return {
        "description": "It failed; the code says how.",
        "headers": {
            "retry-after": {
                "description": "Seconds after which trying again makes sense.",
                "schema": {"type": "integer", "minimum": 1},
            }
        },
        "content": {JSON: {"schema": any_of(*schemas)}},
    }
