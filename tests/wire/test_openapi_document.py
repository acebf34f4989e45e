"""The document that describes the service: whole, and true to the types it is made from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from serve_app.wire.openapi.document import document

DOCUMENT = json.loads(document())
SCHEMAS = DOCUMENT["components"]["schemas"]


def _all(value: Any, name: str) -> Iterator[Any]:
    """Every value under a name, however deep."""
    if isinstance(value, list):
        for item in value:
            yield from _all(item, name)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == name:
                yield item
            yield from _all(item, name)


def test_every_reference_leads_somewhere() -> None:
    references = {ref for ref in _all(DOCUMENT, "$ref") if isinstance(ref, str)}
    assert len(references) > 30
    for reference in references:
        value = DOCUMENT
        for part in reference.removeprefix("#/").split("/"):
            value = value[part]


def test_every_schema_is_used() -> None:
    references = {str(ref).rpartition("/")[2] for ref in _all(DOCUMENT, "$ref")}
    assert SCHEMAS.keys() <= references


def test_operations_have_names_of_their_own() -> None:
    names = list(_all(DOCUMENT["paths"], "operationId"))
    assert len(names) == len(set(names)) > 20


def test_patterns_are_such_as_every_client_can_read() -> None:
    patterns = [text for text in _all(SCHEMAS, "pattern") if isinstance(text, str)]
    assert patterns
    assert not [text for text in patterns if r"\Z" in text]


@pytest.mark.parametrize(
    ("schema", "required"),
    [
        ("ChatParams", {"model", "messages"}),
        ("MessagesRequest", {"model", "messages", "max_tokens"}),
        ("CountRequest", {"model", "messages"}),
        ("CompletionsRequest", {"model", "prompt"}),
        ("EmbeddingsRequest", {"model", "input"}),
        ("AgentRequest", {"message"}),
        ("TermsBody", {"tenant"}),
    ],
)
def test_what_a_request_needs(schema: str, required: set[str]) -> None:
    assert set(SCHEMAS[schema]["required"]) == required


def test_numbers_have_the_bounds_that_are_checked() -> None:
    chat = SCHEMAS["ChatParams"]["properties"]
    assert {"type": "number", "minimum": 0, "maximum": 2} in chat["temperature"]["anyOf"]
    assert {"type": "integer", "minimum": 1} in chat["max_tokens"]["anyOf"]


def test_a_key_is_shown_without_what_is_inside() -> None:
    shown = SCHEMAS["Key"]["properties"].keys()
    assert {"id", "object", "tenant", "expires_at"} <= shown
    assert not {"sha256", "version", "origin"} & shown
