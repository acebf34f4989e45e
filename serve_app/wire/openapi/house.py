"""The routes about the house itself, which everybody may ask."""

from __future__ import annotations

from typing import Any, Final

from serve_app.wire.openapi.parts import JSON, any_of, header, house_replies, operation, path

Json = dict[str, Any]

_ANTHROPIC: Final = header(
    "anthropic-version", "Given by Anthropic's clients, who get the answer in their form."
)


def house_paths() -> Json:
    """By path, then by method."""
    return {
        "/v1/models": _get(
            "listModels",
            "The names that a request's `model` may have.",
            house_replies("ModelList", "AnthropicModelList"),
            _ANTHROPIC,
        ),
        "/v1/models/{id}": _get(
            "getModel",
            "One of them.",
            house_replies("Model", "AnthropicModel", statuses=(404,)),
            path("id"),
            _ANTHROPIC,
        ),
        "/health/liveness": _get("isAlive", "The event loop turns.", house_replies("Alive")),
        "/health/readiness": _get(
            "isReady", "Whether requests can be answered, and why not.", _readiness()
        ),
        "/metrics": _get(
            "getMetrics", "The figures of the whole service, in Prometheus' text format.", _text()
        ),
        "/openapi.json": _get("getOpenAPI", "This document.", _document()),
    }


def _get(name: str, summary: str, answers: Json, *parameters: Json) -> Json:
    made = operation(name, summary, answers, parameters=list(parameters), needs_key=False)
    return {"get": made}


def _readiness() -> Json:
    answers = house_replies("Readiness")
    content = {JSON: {"schema": any_of("Readiness")}}
    return {**answers, "503": {"description": "Not ready, or draining.", "content": content}}


def _text() -> Json:
    answers = house_replies("Alive")
    return {**answers, "200": {"description": "OK", "content": {"text/plain": {}}}}


def _document() -> Json:
    answers = house_replies("Alive")
    content = {JSON: {"schema": {"type": "object", "required": ["openapi"]}}}
    return {**answers, "200": {"description": "OK", "content": content}}
